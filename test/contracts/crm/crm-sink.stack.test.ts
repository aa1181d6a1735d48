import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  applyTopics,
  createKafka,
  createLogger,
  type PipelineConfig,
  parseConfig,
  readTopic,
  type SinkRecord,
} from '@email-events/core';
import { type Fault, startReceiver } from '@email-events/deploy/receiver';
import {
  Codec,
  type DeadLetter,
  registerSchemas,
  type Suppression,
  topicCatalogue,
  topics,
} from '@email-events/schemas';
import { expect, test } from 'vitest';
import { vacantStack, waitFor } from '../../stack/stack.ts';
import { newestStates, seeded, suppressionLog } from './topic.ts';

const SECRET = `whsec_${Buffer.alloc(24, 5).toString('base64')}`;
const MAIN = new URL('../../../sinks/crm/src/main.ts', import.meta.url).pathname;
const KILLS = 3;
/** Records before each kill. */
const SHARE = 100;
/** Each kill is noticed only when the group's session ends. */
const TIME_MS = 300_000;
const log = createLogger('crm-stack-test', 'silent');

test('killed again and again over a CRM that fails, the sink brings it to the newest states', {
  timeout: TIME_MS,
}, async (scope) => {
  const stack = await vacantStack(scope);
  const dir = await mkdtemp(join(tmpdir(), 'crm-stack-'));
  scope.onTestFinished(() => rm(dir, { recursive: true }));
  const receiver = await startReceiver({ host: '127.0.0.1', port: 0, secrets: [SECRET], dataDir: dir });
  scope.onTestFinished(() => receiver.stop());
  const base = `http://127.0.0.1:${receiver.port}`;
  const settings = {
    kafka: { ...stack.kafka, groupPrefix: stack.unique('crm'), sessionTimeoutMs: 6_000 },
    registry: stack.registry,
    topics: { partitions: 3 },
    sinks: { crm: { adminPort: 0, url: `${base}/suppressions`, secrets: [SECRET], timeoutMs: 300 } },
  };
  const config = parseConfig(settings);
  const file = join(dir, 'pipeline.yaml');
  await writeFile(file, JSON.stringify(settings));
  await applyTopics(config.kafka, topicCatalogue(config.topics));
  await registerSchemas(stack.registry);
  const codec = new Codec(stack.registry);

  const random = seeded(11);
  const records = suppressionLog(random, 60, KILLS * SHARE);
  const plan = async (next: readonly (Fault & { times?: number })[]) => {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ clear: true, next });
    expect((await fetch(`${base}/faults`, { method: 'POST', headers, body })).status).toBe(200);
  };
  const faults = () =>
    Array.from({ length: 60 }, () => FAULTS[Math.floor(random() * FAULTS.length)] as Fault);

  for (let round = 0; round < KILLS; round++) {
    await plan(faults());
    const sink = startSink(file, scope);
    const before = receiver.stats().received;
    await produce(config, codec, records.slice(round * SHARE, (round + 1) * SHARE));
    await waitFor(`calls of round ${round}`, () => receiver.stats().received > before + 10, 60_000);
    sink.kill('SIGKILL');
    await once(sink, 'exit');
  }

  await plan([]);
  const last = startSink(file, scope);
  await waitFor(
    'all recipients at their newest state',
    async () => sameStates(await heldBy(base), records),
    60_000,
  );

  // Refused records leave the others alone. A later one proves that they were passed, not only not reached yet.
  await plan([{ kind: 'status', status: 422 }]);
  await produce(config, codec, [stateRecord('refused@example.com')]);
  const codes = () => deadLetterCodes(config, codec);
  await waitFor('the refused state to be a dead letter', async () => (await codes()).length === 1, 30_000);
  await produceBytes(config, 'garbled@example.com', Buffer.from('no avro'));
  await produce(config, codec, [stateRecord('proof@example.com')]);
  await waitFor('the proof', async () => (await heldBy(base)).has('proof@example.com'), 30_000);
  await waitFor('both dead letters', async () => (await codes()).length === 2, 30_000);
  expect((await codes()).sort()).toEqual(['SINK_CRM_REJECTED', 'SINK_RECORD_UNREADABLE']);
  expect((await heldBy(base)).has('refused@example.com')).toBe(false);

  last.kill('SIGTERM');
  expect(await once(last, 'exit')).toEqual([0, null]);
});

const FAULTS: readonly Fault[] = [
  { kind: 'none' },
  { kind: 'none' },
  { kind: 'none' },
  { kind: 'none' },
  { kind: 'status', status: 429, retryAfter: '0' },
  { kind: 'status', status: 503 },
  { kind: 'hang' },
  { kind: 'reset' },
  { kind: 'lost-acknowledgement' },
];

function startSink(file: string, scope: { onTestFinished(clean: () => Promise<void>): void }): ChildProcess {
  const env = { PATH: process.env.PATH, EMAIL_EVENTS_LOG_LEVEL: 'error' };
  const child = fork(MAIN, ['--config', file], { env });
  scope.onTestFinished(async () => {
    child.kill('SIGKILL');
  });
  return child;
}

async function produce(
  config: PipelineConfig,
  codec: Codec,
  records: readonly SinkRecord<Suppression>[],
): Promise<void> {
  const encoder = await codec.encoder<Suppression>(topics.suppressions, 'suppression');
  const producer = createKafka(config.kafka, 'test', log).producer();
  await producer.connect();
  const messages = records.map(({ key, value, timestamp }) => ({
    key,
    value: value && encoder.encode(value),
    timestamp: String(timestamp),
  }));
  await producer.send({ topic: topics.suppressions, messages });
  await producer.disconnect();
}

async function produceBytes(config: PipelineConfig, key: string, value: Buffer): Promise<void> {
  const producer = createKafka(config.kafka, 'test', log).producer();
  await producer.connect();
  await producer.send({ topic: topics.suppressions, messages: [{ key, value }] });
  await producer.disconnect();
}

function stateRecord(recipient: string): SinkRecord<Suppression> {
  const value = { recipient, suppressed: true, reasons: [], changed_at: 1, event_id: recipient, revision: 0 };
  return { topic: topics.suppressions, key: recipient, value, timestamp: Date.now(), attempts: 0 };
}

async function heldBy(base: string): Promise<Map<string, Suppression>> {
  const response = await fetch(`${base}/suppressions?limit=1000`);
  const { suppressions } = (await response.json()) as { suppressions: Suppression[] };
  return new Map(suppressions.map((state) => [state.recipient, state]));
}

function sameStates(held: Map<string, Suppression>, records: readonly SinkRecord<Suppression>[]): boolean {
  const newest = [...newestStates(records).values()];
  return newest.every(({ recipient, event_id }) => held.get(recipient)?.event_id === event_id);
}

async function deadLetterCodes(config: PipelineConfig, codec: Codec): Promise<string[]> {
  const decoder = codec.decoder<DeadLetter>('deadLetter');
  const codes: string[] = [];
  await readTopic(config.kafka, {
    topics: [topics.deadLetters],
    from: 'beginning',
    async onRecord({ value }) {
      if (!value) return;
      await decoder.load([value]);
      codes.push(decoder.decode(value).code);
    },
  });
  return codes;
}
