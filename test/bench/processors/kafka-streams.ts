import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { avroType, EVENT_TYPES, type EventType, schemas } from '@email-events/schemas';
import { buildWithMaven } from '../maven.ts';
import type { Progress, Side } from './side.ts';
import { type Memory, memoryOf } from './usage.ts';

const SOURCES = fileURLToPath(new URL('../peers/kafka-streams/', import.meta.url));
const HEAP = '-Xmx1g';
const LONGEST_START_MS = 120_000;

/** The folder of its jars; built when this version of it is not in the cache. Throws with what is missing. */
export const buildKafkaStreams = (): Promise<string> =>
  buildWithMaven({ name: 'kafka-streams', sources: SOURCES, jar: 'kafka-streams-peer-1.jar' });

/** How the application is set up. */
export interface PeerSettings {
  /** A folder of its own. */
  readonly dir: string;
  readonly brokers: readonly string[];
  readonly applicationId: string;
  readonly stages: 'both' | 'dedupe';
  readonly store: 'points' | 'range';
  readonly input: string;
  readonly outputPrefix: string;
  readonly partitions: number;
  readonly threads: number;
  readonly windowMs: number;
  readonly commitMs: number;
  readonly schemaIds: { readonly [T in EventType]: number };
}

export interface Peer extends Side {
  memory(): Memory;
}

/** The schema of one normalized event, whatever its type. */
export const eventSchema = () => {
  const [events] = schemas.normalized.fields;
  return events.type.items;
};

/** Frames the values of the peer's own topics; it is in no registry. */
export const EVENT_SCHEMA_ID = 1;

export async function startKafkaStreams(jars: string, settings: PeerSettings): Promise<Peer> {
  const file = await writeSettings(settings);
  const child = spawn(
    'java',
    [
      ...[HEAP, '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'],
      ...['-cp', join(jars, '*'), 'peer.Main', file],
    ],
    // Its input ends with this process, and it with its input.
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const said = follow(child);
  await said.running;
  const { pid } = child;
  if (pid === undefined) throw new Error('kafka-streams has no process');
  return {
    name: settings.stages === 'both' ? 'kafka-streams' : 'kafka-streams, dedupe alone',
    pids: [pid],
    memory: () => memoryOf(pid),
    progress: async () => {
      if (child.exitCode !== null) throw new Error(`kafka-streams ended with ${child.exitCode}`);
      return progressOf(said.last(), settings.stages);
    },
    stop: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null) return resolve();
        child.once('exit', () => resolve());
        child.kill('SIGTERM');
      }),
  };
}

interface Line {
  readonly state: string;
  readonly normalized: number;
  readonly received: number;
  readonly duplicates: number;
  readonly commits: number;
}

function progressOf({ normalized, received, duplicates, commits }: Line, stages: string): Progress {
  return {
    ...(stages === 'both' ? { normalized } : {}),
    ...{ received, duplicates, transactions: commits },
  };
}

/** Its lines on standard output: the last one, and when the first says that it runs. */
function follow(child: ChildProcess): { last(): Line; readonly running: Promise<void> } {
  let last: Line = { state: 'NONE', normalized: 0, received: 0, duplicates: 0, commits: 0 };
  const running = Promise.withResolvers<void>();
  const timer = setTimeout(
    () => running.reject(new Error('kafka-streams does not come to run')),
    LONGEST_START_MS,
  );
  if (child.stdout)
    createInterface(child.stdout).on('line', (text) => {
      if (!text.startsWith('{')) return;
      last = JSON.parse(text) as Line;
      if (last.state === 'RUNNING') running.resolve();
    });
  child.once('error', (error) => running.reject(error));
  child.once('exit', (code) => running.reject(new Error(`kafka-streams ended with ${code}`)));
  return { last: () => last, running: running.promise.finally(() => clearTimeout(timer)) };
}

async function writeSettings(settings: PeerSettings): Promise<string> {
  const { dir, brokers, stages, store, input, partitions, threads } = settings;
  await mkdir(dir, { recursive: true });
  const properties: { [name: string]: string | number } = {
    brokers: brokers.join(','),
    'application.id': settings.applicationId,
    ...{ stages, store, input, partitions, threads },
    'output.prefix': settings.outputPrefix,
    'window.ms': settings.windowMs,
    'commit.interval.ms': settings.commitMs,
    'state.dir': join(dir, 'state'),
  };
  const schemaFile = async (name: string, schema: unknown, id: number) => {
    const path = join(dir, `${name}.avsc`);
    await writeFile(path, JSON.stringify(schema));
    properties[`schema.${name}`] = `${id} ${path}`;
  };
  await schemaFile('event', eventSchema(), EVENT_SCHEMA_ID);
  for (const type of EVENT_TYPES) await schemaFile(type, schemas[type], settings.schemaIds[type]);
  const file = join(dir, 'peer.properties');
  await writeFile(
    file,
    Object.entries(properties)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
  return file;
}

/** Of the values of the peer's topic of events. */
export const eventType = () => {
  const batch = avroType('normalized') as unknown as {
    field(name: string): { readonly type: { readonly itemsType: ReturnType<typeof avroType> } };
  };
  return batch.field('events').type.itemsType;
};
