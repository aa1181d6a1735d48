import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { avroType, EVENT_TYPES, type EventType, schemas } from '@email-events/schemas';
import type { Progress, Side } from './side.ts';
import { type Memory, memoryOf } from './usage.ts';

const SOURCES = fileURLToPath(new URL('../peers/kafka-streams/', import.meta.url));
const HEAP = '-Xmx1g';
const LONGEST_START_MS = 120_000;

/**
 * Compiles the application with Maven, unless this version of it is in the cache already, and returns the folder of its jars. The cache
 * lies outside the checkout: in XDG_CACHE_HOME, else in ~/.cache. Throws with what is missing, and how to get it.
 */
export async function buildKafkaStreams(): Promise<string> {
  await requireTool('java', ['-version'], 'openjdk-17-jre-headless');
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'email-events', 'peers');
  const target = join(cache, `kafka-streams-${await digestOf(SOURCES)}`);
  if (existsSync(target)) return target;
  await requireTool('javac', ['-version'], 'openjdk-17-jdk-headless');
  await requireTool('mvn', ['--version'], 'maven');
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, 'building-'));
  try {
    await cp(SOURCES, work, { recursive: true });
    const jars = join(work, 'jars');
    await maven(work, ['package', 'dependency:copy-dependencies', `-DoutputDirectory=${jars}`]);
    await cp(join(work, 'target', 'kafka-streams-peer-1.jar'), join(jars, 'peer.jar'));
    // There completely or not at all.
    await rename(jars, target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return target;
}

async function maven(cwd: string, goals: readonly string[]): Promise<void> {
  process.stdout.write('kafka-streams is being built (Maven)\n');
  const args = ['--batch-mode', '--no-transfer-progress', '--quiet', '-DincludeScope=runtime', ...goals];
  try {
    await promisify(execFile)('mvn', args, { cwd });
  } catch (error) {
    const { stdout = '' } = error as { stdout?: string };
    throw new Error(`kafka-streams cannot be built:\n${stdout.slice(-4_000)}`, { cause: error });
  }
}

async function requireTool(file: string, args: readonly string[], debian: string): Promise<void> {
  try {
    await promisify(execFile)(file, args);
  } catch (cause) {
    const how = `Debian: apt-get install ${debian}; macOS: brew install openjdk@17 maven`;
    throw new Error(`${file} is missing, so nothing can be measured against kafka-streams (${how})`, {
      cause,
    });
  }
}

async function digestOf(folder: string): Promise<string> {
  const hash = createHash('sha256');
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const file of files.sort()) hash.update(file.slice(folder.length)).update(await readFile(file));
  return hash.digest('hex').slice(0, 16);
}

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
