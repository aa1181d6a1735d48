import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { choosePorts } from '@email-events/dev/stack';
import { type EmailEvent, EVENT_TYPES, topics } from '@email-events/schemas';
import { stopped } from '../ingress-process.ts';
import { buildWithMaven } from '../maven.ts';
import { HeldInput } from '../processors/held-input.ts';
import { cpuSecondsOf } from '../processors/usage.ts';
import { createPeerTopics, peerTables } from './peer-places.ts';
import { type SinkSide, tablesOf } from './side.ts';
import type { SinkStack } from './stack.ts';

export interface ConnectOptions {
  /** Folder with the jars of the connector, and of the converter if it is another; `stand-in`: none, lines go into a file. */
  readonly connector: string | undefined;
  readonly converter: string;
}

export const JSON_CONVERTER = 'org.apache.kafka.connect.json.JsonConverter';
export const STAND_IN = 'stand-in';

const DATABASE = 'bench_connect';
const PREFIX = 'bench.connect.';
const HEAP = '-Xmx2g';
const TASKS = 2;

/** The worker's jars. Throws, with where it is to be had, when no connector is given. */
export async function prepareConnect({ connector }: ConnectOptions): Promise<string> {
  if (connector === undefined)
    throw new Error(
      'the ClickHouse sink connector is not on Maven Central: unpack a release of https://github.com/ClickHouse/clickhouse-kafka-connect ' +
        'and name the folder of its jars by --connector DIR (or --connector stand-in to try the harness without it)',
    );
  if (connector !== STAND_IN && !existsSync(connector)) throw new Error(`there is no folder ${connector}`);
  return buildWithMaven({
    ...{ name: 'connect', sources: fileURLToPath(new URL('../peers/connect/', import.meta.url)) },
    jar: 'connect-peer-1.jar',
  });
}

/**
 * A standalone worker with one sink connector. It runs all the time and reads what is committed, as ours does. With the JSON converter its topics have
 * the same events as lines of JSON; with another one the same bytes as ours, and the registry.
 */
export async function startConnectSink(
  stack: SinkStack,
  jars: string,
  options: ConnectOptions,
): Promise<SinkSide> {
  const { config } = stack;
  const dir = join(stack.dir, 'connect');
  await mkdir(dir);
  await createPeerTopics(stack, PREFIX);
  const isStandIn = options.connector === STAND_IN;
  const clickhouse = isStandIn ? undefined : await peerTables(stack, DATABASE);
  const file = join(dir, 'rows');
  const { rest } = await choosePorts({ rest: {} });
  const worker = await writeProperties(join(dir, 'worker.properties'), workerOf(stack, dir, rest, options));
  const connector = isStandIn ? lineSinkOf(file) : clickhouseOf(stack);
  const sink = await writeProperties(join(dir, 'sink.properties'), { ...common(), ...connector });
  const child = spawn(
    'java',
    [
      ...[HEAP, '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-cp', join(jars, '*')],
      ...['org.apache.kafka.connect.cli.ConnectStandalone', worker, sink],
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  const { pid } = child;
  if (pid === undefined) throw new Error('Connect does not start');
  let input: HeldInput | undefined;
  return {
    name: isStandIn ? 'connect-file' : 'connect',
    ...(clickhouse ? tablesOf(clickhouse) : linesOf(file)),
    hold: async (events) => {
      input = await HeldInput.begin(config.kafka, 'bench.connect');
      const isJson = options.converter === JSON_CONVERTER;
      for (const { event, record } of events) {
        const value = isJson ? Buffer.from(jsonOf(event)) : record.value;
        await input.add({ ...record, value, topic: PREFIX + record.topic });
      }
      await input.flush();
    },
    begin: async () => {
      if (child.exitCode !== null) throw new Error(`Connect ended with ${child.exitCode}`);
      const cpuSeconds = cpuSecondsOf(pid);
      await input?.release();
      return { pid, cpuSeconds };
    },
    rest: async () => {},
    stop: async () => {
      await stopped(child);
      await clickhouse?.close();
    },
  };
}

type Properties = { readonly [name: string]: string | number };

function workerOf(
  { config }: SinkStack,
  dir: string,
  port: number,
  { connector, converter }: ConnectOptions,
): Properties {
  return {
    'bootstrap.servers': config.kafka.brokers.join(','),
    listeners: `http://127.0.0.1:${port}`,
    'key.converter': 'org.apache.kafka.connect.storage.StringConverter',
    'value.converter': converter,
    ...(converter === JSON_CONVERTER
      ? { 'value.converter.schemas.enable': 'false' }
      : { 'value.converter.schema.registry.url': config.registry.url }),
    'offset.storage.file.filename': join(dir, 'offsets'),
    'offset.flush.interval.ms': 1_000,
    // The worker looks for plugins on its class path too, for the converters and the stand-in.
    ...(connector === undefined || connector === STAND_IN ? {} : { 'plugin.path': connector }),
    'consumer.isolation.level': 'read_committed',
    'consumer.max.poll.records': config.sinks.clickhouse.batchRows,
    'consumer.max.partition.fetch.bytes': 8_388_608,
    'consumer.fetch.max.bytes': 52_428_800,
    'consumer.auto.offset.reset': 'earliest',
  };
}

const common = (): Properties => ({
  name: 'bench-sink',
  'tasks.max': TASKS,
  topics: EVENT_TYPES.map((type) => PREFIX + topics.events(type)).join(','),
});

function clickhouseOf({ config }: SinkStack): Properties {
  const { url, username } = config.sinks.clickhouse;
  const { hostname, port } = new URL(url);
  return {
    'connector.class': 'com.clickhouse.kafka.connect.ClickHouseSinkConnector',
    ...{ hostname, port, ssl: 'false', database: DATABASE, username, password: '', exactlyOnce: 'false' },
    topic2TableMap: EVENT_TYPES.map((type) => `${PREFIX}${topics.events(type)}=email_events`).join(','),
    'errors.tolerance': 'none',
    clickhouseSettings: 'input_format_skip_unknown_fields=1,date_time_input_format=best_effort',
  };
}

const lineSinkOf = (file: string): Properties => ({
  'connector.class': 'peer.LineSink',
  file,
});

/** Times as ClickHouse reads them, whatever its settings. */
function jsonOf(event: EmailEvent): string {
  const time = (at: number) => new Date(at).toISOString().replace('T', ' ').replace('Z', '');
  return JSON.stringify({
    ...event,
    occurred_at: time(event.occurred_at),
    received_at: time(event.received_at),
  });
}

/** A file with a line a record. What was counted is not read again. */
function linesOf(file: string): Pick<SinkSide, 'totals' | 'digest'> {
  let rows = 0;
  let read = 0;
  return {
    totals: async () => {
      if (existsSync(file)) {
        const handle = await open(file);
        for await (const chunk of handle.createReadStream({ start: read })) {
          read += chunk.length;
          for (const byte of chunk as Buffer) if (byte === NEW_LINE) rows++;
        }
      }
      return { rows, rollup: rows, inserts: Number.NaN };
    },
    digest: async () => undefined,
  };
}

const NEW_LINE = 0x0a;

async function writeProperties(file: string, properties: Properties): Promise<string> {
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`);
  await writeFile(file, lines.join(''));
  return file;
}
