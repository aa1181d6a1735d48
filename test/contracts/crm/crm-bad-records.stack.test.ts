import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipelineConfig } from '@email-events/cli/services';
import { applyTopics, type SinkRecord } from '@email-events/core';
import { Codec, registerSchemas, type Suppression, topicCatalogue } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { type TestScope, vacantStack, waitFor } from '../../harness/stack.ts';
import { deadLetterCodes, produce, startSink, stateRecord } from './service.ts';

// A CRM behind a firewall that dislikes what is in some states, and one whose storage fails of others. Both texts come from
// receiving mail servers: any recipient of mail can put them there.
const SECRET = `whsec_${Buffer.alloc(24, 5).toString('base64')}`;
const TIME_MS = 240_000;
const DECIDED_MS = 150_000;

const honest = (...numbers: readonly number[]) => numbers.map((n) => stateRecord(`honest${n}@example.com`));
const twelve = Array.from({ length: 12 }, (_, n) => n);

function disliked(recipient: string, detail: string): SinkRecord<Suppression> {
  const record = stateRecord(recipient);
  const [reason, scope] = ['hard_bounce', 'all'] as const;
  const from = { esp: 'postmark', source: 'postmark', event_id: recipient, account: null };
  const reasons = [{ reason, scope, since: 1, ...from, detail }];
  return { ...record, value: record.value && ({ ...record.value, reasons } as Suppression) };
}

test('states that a firewall refuses, or the CRM fails of, become dead letters, and no honest one waits for them', {
  timeout: TIME_MS,
}, async (scope) => {
  const crm = await startCrm(scope);
  const world = await makeWorld(scope, crm.url);
  const bad = [
    disliked('script@example.com', '550 <script>alert(1)</script>'),
    disliked('script-again@example.com', '550 <script>'),
    stateRecord('nul\u0000@example.com'),
  ];
  // Bad ones before, among and behind, and in every partition.
  await world.produce([...bad, ...honest(...twelve.slice(0, 6))]);
  startSink(world.file, scope);
  await waitFor('the first honest states', () => crm.held.size >= 6, 60_000);
  expect(await world.letters()).toEqual([]);
  await world.produce(honest(...twelve.slice(6)));
  await waitFor('the honest states behind', () => crm.held.size >= 12, 60_000);
  await waitFor(
    'the bad ones are dead letters',
    async () => (await world.letters()).length === 3,
    DECIDED_MS,
  );
  expect((await world.letters()).sort()).toEqual([
    'SINK_CRM_RECORD_FAILED',
    'SINK_CRM_REJECTED',
    'SINK_CRM_REJECTED',
  ]);
  const calls = crm.refused();
  await world.produce(honest(100));
  await waitFor('the proof', () => crm.held.has('honest100@example.com'), 60_000);
  expect(crm.held.size).toBe(13);
  // The sink does not send a dead letter again.
  expect(crm.refused()).toBe(calls);
  expect(calls).toBeLessThan(150);
});

test('with credentials that are wrong nothing is dead-lettered, and all arrives when they are put right', {
  timeout: TIME_MS,
}, async (scope) => {
  const crm = await startCrm(scope);
  crm.locked = true;
  const world = await makeWorld(scope, crm.url);
  await world.produce(honest(...twelve));
  const sink = startSink(world.file, scope);
  const [ready] = (await once(sink, 'message')) as [{ ports: { admin: number } }];
  const dependencies = async () => {
    const answer = await fetch(`http://127.0.0.1:${ready.ports.admin}/readyz`);
    return ((await answer.json()) as { dependencies: { [name: string]: string } }).dependencies;
  };
  await waitFor('it says so', async () => (await dependencies()).sink === 'SINK_CRM_UNAUTHORIZED', 60_000);
  expect((await dependencies()).lanes).toMatch(/^\d: SINK_CRM_UNAUTHORIZED/);
  // Longer than it takes to set a record aside.
  const since = Date.now();
  await waitFor('a while', () => Date.now() - since > 45_000, 60_000);
  expect(await world.letters()).toEqual([]);
  expect(crm.refused()).toBeLessThan(40);
  crm.locked = false;
  await waitFor('all of them', () => crm.held.size === 12, 120_000);
  expect(await world.letters()).toEqual([]);
  sink.kill('SIGTERM');
  expect(await once(sink, 'exit')).toEqual([0, null]);
});

interface Crm {
  readonly url: string;
  /** Recipients whose state it took. */
  readonly held: Set<string>;
  /** Calls that it did not take. */
  refused(): number;
  /** It refuses everybody. */
  locked: boolean;
}

async function startCrm(scope: TestScope): Promise<Crm> {
  let refused = 0;
  const held = new Set<string>();
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const status = request.method === 'HEAD' ? 204 : crm.locked ? 401 : statusOf(body);
    if (status >= 300) refused++;
    if (status === 200) held.add((JSON.parse(body) as Suppression).recipient);
    response.writeHead(status).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  scope.onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  const crm: Crm = { url: `http://127.0.0.1:${port}/hook`, held, refused: () => refused, locked: false };
  return crm;
}

const statusOf = (body: string) => (body.includes('<script>') ? 403 : body.includes('\\u0000') ? 500 : 200);

async function makeWorld(scope: TestScope, url: string) {
  const stack = await vacantStack(scope);
  const dir = await mkdtemp(join(tmpdir(), 'crm-bad-'));
  scope.onTestFinished(() => rm(dir, { recursive: true }));
  const settings = {
    kafka: { ...stack.kafka, groupPrefix: stack.unique('crm'), sessionTimeoutMs: 6_000 },
    registry: stack.registry,
    topics: { partitions: 3 },
    sinks: { crm: { adminPort: 0, url, secrets: [SECRET], timeoutMs: 2_000 } },
  };
  const config = pipelineConfig.parse(settings);
  const file = join(dir, 'pipeline.yaml');
  await writeFile(file, JSON.stringify(settings));
  await applyTopics(config.kafka, topicCatalogue(config.topics));
  await registerSchemas(stack.registry);
  const codec = new Codec(stack.registry);
  return {
    file,
    produce: (records: readonly SinkRecord<Suppression>[]) => produce(config, codec, records),
    letters: () => deadLetterCodes(config, codec),
  };
}
