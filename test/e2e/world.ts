import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PipelineConfig, pipelineConfig } from '@email-events/cli/services';
import { type RunningBin, runBin, startBin } from '@email-events/cli/testing';
import {
  applyTopics,
  createKafka,
  createLogger,
  encodeRawHeaders,
  type RawRequest,
  Registry,
  type RunningService,
  type StartService,
  silentLog,
} from '@email-events/core';
import { replicationOn } from '@email-events/dev/stack';
import { startEvents, startNormalize } from '@email-events/processors';
import { Codec, registerSchemas, topicCatalogue } from '@email-events/schemas';
import { type ClickHouse, connect, migrate, startClickHouseSink } from '@email-events/sink-clickhouse';
import { type TestScope, vacantStack } from '../harness/stack.ts';

export interface Message {
  readonly key?: string | null;
  readonly value: Buffer | null;
  readonly headers?: { readonly [name: string]: Buffer };
  readonly partition?: number;
  readonly timestamp?: number;
}

export interface Started {
  readonly metrics: Registry;
  stop(): Promise<void>;
}

/** The services behind the ingress, in this process; commands are real. */
export interface World {
  readonly config: PipelineConfig;
  readonly codec: Codec;
  readonly clickhouse: ClickHouse;
  start(service: StartService<PipelineConfig>): Promise<Started>;
  /** Offset of each message, which go to partition 0 unless they say otherwise. */
  produce(topic: string, messages: readonly Message[]): Promise<number[]>;
  /** A command with --json: its exit code and what it printed. */
  // biome-ignore lint/suspicious/noExplicitAny: every command prints something else; the test says what it expects.
  command(...args: readonly string[]): Promise<{ code: number | null; out: any; err: string }>;
  /** The same for people, while it runs. */
  startCommand(...args: readonly string[]): RunningBin;
}

export const SERVICES = [startNormalize, startEvents, startClickHouseSink] as const;

/** `normalize`: settings of it that are not the defaults; `sinks`: those of further ones; `sources`: sources, of which none is needed. */
export async function startWorld(
  scope: TestScope,
  {
    normalize = {},
    sinks = {},
    sources = {},
  }: { readonly normalize?: object; readonly sinks?: object; readonly sources?: object } = {},
): Promise<World> {
  const stack = await vacantStack(scope);
  const folder = await mkdtemp(join(tmpdir(), 'email-events-world-'));
  const { registry } = stack;
  const raw = {
    kafka: { ...stack.kafka, groupPrefix: stack.unique('world') },
    registry,
    sources,
    topics: { partitions: 2, rawPartitions: 2, ...replicationOn(stack.kafka) },
    normalize: { adminPort: 0, ...normalize },
    events: { adminPort: 0, stateDir: join(folder, 'state') },
    sinks: {
      ...sinks,
      clickhouse: { ...stack.clickhouse, database: stack.uniqueDatabase('world'), adminPort: 0, flushMs: 50 },
    },
  };
  const file = join(folder, 'pipeline.yaml');
  await writeFile(file, JSON.stringify(raw));
  const config = pipelineConfig.parse(raw);
  await Promise.all([
    applyTopics(config.kafka, topicCatalogue(config.topics)),
    registerSchemas(registry),
    migrate(config.sinks.clickhouse),
  ]);
  const clickhouse = connect(config.sinks.clickhouse);
  const producer = createKafka(config.kafka, 'test', silentLog).producer({ idempotent: true });
  await producer.connect();
  const running = new Set<RunningService>();
  scope.onTestFinished(async () => {
    await Promise.all([...running].map((service) => service.stop()));
    await Promise.all([producer.disconnect(), clickhouse.close()]);
    await rm(folder, { recursive: true, force: true });
  });
  return {
    config,
    codec: new Codec(registry),
    clickhouse,
    async start(service) {
      const metrics = new Registry();
      const started = await service({ config, log: createLogger('test', 'silent'), metrics });
      running.add(started);
      const stop = async () => {
        running.delete(started);
        await started.stop();
      };
      return { metrics, stop };
    },
    async produce(topic, messages) {
      const sent = await producer.send({
        topic,
        messages: messages.map(({ key = null, value, headers = {}, partition = 0, timestamp }) => {
          const time = timestamp === undefined ? {} : { timestamp: String(timestamp) };
          return { key, value, partition, headers: { ...headers }, ...time };
        }),
      });
      const next = new Map(sent.map(({ partition, baseOffset }) => [partition, Number(baseOffset)]));
      return messages.map(({ partition = 0 }) => {
        const offset = next.get(partition) ?? 0;
        next.set(partition, offset + 1);
        return offset;
      });
    },
    startCommand: (...args) => startBin([...args, '--config', file]),
    async command(...args) {
      const { code, out, err } = await runBin([...args, '--json', '--config', file]);
      return { code, out: out === '' ? undefined : JSON.parse(out), err };
    },
  };
}

let requests = 0;

/** A request as the ingress leaves it in email.raw. */
export function rawMessage(body: unknown, request: Partial<RawRequest> = {}): Message {
  requests++;
  const value = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  const headers = encodeRawHeaders({
    requestId: `0199b7a0-1111-7222-8333-${String(requests).padStart(12, '0')}`,
    source: 'main',
    esp: 'sendgrid',
    receivedAt: Date.now(),
    method: 'POST',
    url: '/webhooks/email-events/main',
    contentType: 'application/json',
    remoteAddress: null,
    headers: {},
    ...request,
  });
  return { value, headers };
}

let items = 0;

/** An item as SendGrid sends it, with an id of its own. */
export function sendgridItem(event: string, more: { readonly [name: string]: unknown } = {}) {
  items++;
  return {
    email: `user${items}@example.com`,
    timestamp: Math.floor(Date.now() / 1_000) - 600 + items,
    event,
    sg_event_id: `d29ybGQtZXZlbnQt${items}`,
    sg_message_id: `message${items}.filter0001.16648.5515E0B88.0`,
    ...more,
  };
}
