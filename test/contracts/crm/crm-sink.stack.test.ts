import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipelineConfig } from '@email-events/cli/services';
import { applyTopics, type SinkRecord } from '@email-events/core';
import { type Fault, startReceiver } from '@email-events/dev/receiver';
import { Codec, registerSchemas, type Suppression, topicCatalogue } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { vacantStack, waitFor } from '../../harness/stack.ts';
import { deadLetterCodes, produce, produceBytes, startSink, stateRecord } from './service.ts';
import { newestStates, seeded, suppressionLog } from './topic.ts';

const SECRET = `whsec_${Buffer.alloc(24, 5).toString('base64')}`;
const KILLS = 3;
/** Records before each kill. */
const SHARE = 100;
/** Each kill is noticed only when the group's session ends. */
const TIME_MS = 300_000;

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
  const config = pipelineConfig.parse(settings);
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

async function heldBy(base: string): Promise<Map<string, Suppression>> {
  const response = await fetch(`${base}/suppressions?limit=1000`);
  const { suppressions } = (await response.json()) as { suppressions: Suppression[] };
  return new Map(suppressions.map((state) => [state.recipient, state]));
}

function sameStates(held: Map<string, Suppression>, records: readonly SinkRecord<Suppression>[]): boolean {
  const newest = [...newestStates(records).values()];
  return newest.every(({ recipient, event_id }) => held.get(recipient)?.event_id === event_id);
}
