import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipelineConfig } from '@email-events/cli/services';
import { applyTopics, sinkGroup } from '@email-events/core';
import { Codec, registerSchemas, topicCatalogue } from '@email-events/schemas';
import { type CrmHarness, PlayedServer } from '@email-events/sink-crm/testing';
import { expect, test } from 'vitest';
import { freePort } from '../../harness/ports.ts';
import { vacantStack, waitFor } from '../../harness/stack.ts';
import { describedMetrics } from '../../src/declared-metrics.ts';
import { metricsIn, undeclared } from '../../src/metrics-page.ts';
import { type Happened, happened, newestOf, produceEvents, withoutLag } from './engagement-events.ts';
import { deadLetterCodes, eraseRecord, produce, startSink, stateRecord } from './service.ts';
import { seeded } from './topic.ts';

const HARNESS = new URL('../../../sinks/crm/src/adapters/http.harness.ts', import.meta.url).href;
const TIME_MS = 240_000;
const PEOPLE = 40;
const PATIENCE_MS = 90_000;

const addressOf = (index: number) => `person-${index}@example.com`;

test('killed again and again, over a CRM that fails, engagement comes to the newest instants, behind suppressions, and of who is erased to none', {
  timeout: TIME_MS,
}, async (scope) => {
  const stack = await vacantStack(scope);
  const dir = await mkdtemp(join(tmpdir(), 'crm-engagement-'));
  scope.onTestFinished(() => rm(dir, { recursive: true }));
  const { harness } = (await import(HARNESS)) as { harness: CrmHarness };
  const played = harness.play();
  const server = await PlayedServer.start(played);
  scope.onTestFinished(() => server.close());
  const engagement = { everyMs: 300 };
  const adminPort = await freePort();
  const settings = {
    kafka: { ...stack.kafka, groupPrefix: stack.unique('engagement'), sessionTimeoutMs: 6_000 },
    registry: stack.registry,
    topics: { partitions: 3 },
    sinks: { crm: { adminPort, ...played.settings(server.base), timeoutMs: 2_000, engagement } },
  };
  const config = pipelineConfig.parse(settings);
  const file = join(dir, 'pipeline.yaml');
  await writeFile(file, JSON.stringify(settings));
  await applyTopics(config.kafka, topicCatalogue(config.topics));
  await registerSchemas(stack.registry);
  const codec = new Codec(stack.registry);
  const random = seeded(17);
  const all: Happened[] = [];
  const happen = async (count: number) => {
    const events = Array.from({ length: count }, () => happened(random, addressOf, PEOPLE));
    all.push(...events);
    await produceEvents(config, codec, events);
  };
  const told = () => server.calls.filter(({ url }) => url.pathname === '/engagement').length;

  // Of who is erased before anything was written of her.
  const erased = 'erased@example.com';
  await produceEvents(config, codec, [{ ...happened(random, () => erased, 1), machine: false }]);
  await produce(config, codec, [eraseRecord(erased)]);

  await happen(300);
  let sink = startSink(file, scope);
  for (let round = 0; round < 3; round++) {
    const before = told();
    await waitFor('engagement to be told', () => told() > before, PATIENCE_MS);
    sink.kill('SIGKILL');
    await once(sink, 'exit');
    await happen(200);
    server.faultOfNext = () => (random() < 0.3 ? (random() < 0.5 ? 'lost' : { status: 503 }) : undefined);
    sink = startSink(file, scope);
  }
  // The oldest comes once more, as a replay brings it.
  await produceEvents(config, codec, all.slice(0, 100));
  const expected = newestOf(all);
  const right = () =>
    [...expected].filter(
      ([who, instants]) => JSON.stringify(sorted(played.engaged?.(who))) === JSON.stringify(sorted(instants)),
    );
  await waitFor('all instants to be the newest', () => right().length === expected.size, PATIENCE_MS);

  const group = sinkGroup(config.kafka.groupPrefix, 'sink-crm.engagement');
  await waitFor('what was told to be committed', () => withoutLag(config, group), PATIENCE_MS);

  // While the CRM takes no suppression, it is told of no engagement.
  server.faultOfNext = undefined;
  const refused = Array.from({ length: 20 }, (_, index) => `left-${index}@example.com`);
  for (const who of refused) server.faultsOf.set(who, { status: 429, headers: { 'retry-after': '1' } });
  await produce(config, codec, refused.map(stateRecord));
  await waitFor(
    'a suppression to wait',
    () => server.calls.some(({ body }) => body.includes('left-0@')),
    PATIENCE_MS,
  );
  const length = told();
  const late = { who: 'late@example.com', type: 'opened' as const, at: 1_760_000_009_000, machine: false };
  await produceEvents(config, codec, [late]);
  const { length: calls } = server.calls;
  await waitFor('further tries', () => server.calls.length > calls + 3, PATIENCE_MS);
  expect(told()).toBe(length);
  server.faultsOf.clear();
  await waitFor('engagement after it', () => played.engaged?.(late.who)?.opened === late.at, PATIENCE_MS);
  for (const who of refused) expect(played.held(who)?.suppressed).toBe(true);
  expect(played.recipients().sort()).toEqual(refused.sort());
  expect(played.engaged?.(erased)).toBeUndefined();

  await waitFor('all to be committed', () => withoutLag(config, group), PATIENCE_MS);
  const metrics = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  expect(undeclared(metricsIn(metrics), describedMetrics().get('sink-crm') ?? [])).toEqual([]);
  expect(await deadLetterCodes(config, codec)).toEqual([]);
  sink.kill('SIGTERM');
  expect(await once(sink, 'exit')).toEqual([0, null]);
});

const sorted = (instants: object | undefined) => Object.entries(instants ?? {}).sort();
