import { type CrmHarness, PlayedServer } from '@email-events/sink-crm/testing';
import { expect, test } from 'vitest';
import { startPipeline } from '../../harness/pipeline.ts';
import { vacantStack, waitFor } from '../../harness/stack.ts';
import { produce, stateRecord } from './service.ts';

const HARNESS = new URL('../../../sinks/crm/src/adapters/klaviyo.harness.ts', import.meta.url).href;
const TIME_MS = 180_000;
const PEOPLE = 200;
/** So low that eight recipients at a time wait for seconds, which a check behind them would have to wait for, too. */
const LIMIT = 4;

test('a long backlog of its own takes no readiness from the sink', { timeout: TIME_MS }, async (scope) => {
  const { harness } = (await import(HARNESS)) as { harness: CrmHarness };
  const played = harness.play();
  const server = await PlayedServer.start(played);
  scope.onTestFinished(() => server.close());
  const crm = { kind: 'klaviyo', ...played.settings(server.base), callsPerSecond: LIMIT, concurrency: 16 };
  const world = await startPipeline(scope, await vacantStack(scope), {
    name: 'readiness',
    settings: { topics: { partitions: 2 }, sinks: { crm: { adminPort: 0, ...crm } } },
  });
  const people = Array.from({ length: PEOPLE }, (_, i) => `person-${i}@example.com`);
  await produce(world.config, world.codec, people.map(stateRecord));
  const sink = world.launch('sink-crm');
  await sink.ready;
  await waitFor('the sink to be ready', async () => (await sink.readiness()).status === 200, 60_000);
  const heard: unknown[] = [];
  const startedAt = performance.now();
  // Longer than a check is remembered for, several times.
  await waitFor(
    'some to be written',
    async () => {
      const { status, dependencies } = await sink.readiness();
      if (status !== 200) heard.push(dependencies);
      return performance.now() - startedAt > 30_000 && played.recipients().length > 10;
    },
    90_000,
  );
  expect(heard).toEqual([]);
  expect(played.recipients().length).toBeLessThan(PEOPLE);
});
