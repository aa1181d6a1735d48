import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipelineConfig } from '@email-events/cli/services';
import { applyTopics } from '@email-events/core';
import { Codec, registerSchemas, topicCatalogue } from '@email-events/schemas';
import { type CrmHarness, PlayedServer } from '@email-events/sink-crm/testing';
import { expect, test } from 'vitest';
import { vacantStack, waitFor } from '../../harness/stack.ts';
import { deadLetterCodes, produce, startSink, stateRecord } from './service.ts';

const HARNESS = new URL('../../../sinks/crm/src/adapters/http.harness.ts', import.meta.url).href;
const TIME_MS = 240_000;
const PEOPLE = 900;
/** Calls a second that the CRM takes of all instances together. */
const LIMIT = 40;

test('two instances, one of which is killed, stay below the limit of the CRM together, and all states arrive', {
  timeout: TIME_MS,
}, async (scope) => {
  const stack = await vacantStack(scope);
  const dir = await mkdtemp(join(tmpdir(), 'crm-pace-'));
  scope.onTestFinished(() => rm(dir, { recursive: true }));
  const { harness } = (await import(HARNESS)) as { harness: CrmHarness };
  const played = harness.play();
  const times: number[] = [];
  const server = await PlayedServer.start({
    ...played,
    answer(call) {
      times.push(performance.now());
      return played.answer(call);
    },
  });
  scope.onTestFinished(() => server.close());
  const settings = {
    kafka: { ...stack.kafka, groupPrefix: stack.unique('pace'), sessionTimeoutMs: 6_000 },
    registry: stack.registry,
    topics: { partitions: 4 },
    sinks: { crm: { adminPort: 0, ...played.settings(server.base), callsPerSecond: LIMIT, concurrency: 8 } },
  };
  const config = pipelineConfig.parse(settings);
  const file = join(dir, 'pipeline.yaml');
  await writeFile(file, JSON.stringify(settings));
  await applyTopics(config.kafka, topicCatalogue(config.topics));
  await registerSchemas(stack.registry);
  const codec = new Codec(stack.registry);

  const people = Array.from({ length: PEOPLE }, (_, i) => `person-${i}@example.com`);
  await produce(config, codec, people.map(stateRecord));
  const first = startSink(file, scope);
  const held = () => people.filter((who) => played.held(who)?.suppressed === true).length;
  await waitFor('the first to write alone', () => held() > 100, 60_000);
  const startedAt = performance.now();
  const { length: before } = times;
  const second = startSink(file, scope);
  await waitFor('both to write', () => held() > 700, 60_000);
  first.kill('SIGKILL');
  await once(first, 'exit');
  await waitFor('all to be there', () => held() === PEOPLE, 120_000);

  const seconds = (performance.now() - startedAt) / 1_000;
  const calls = times.length - before;
  await scope.annotate(
    `${calls} calls in ${seconds.toFixed(1)} s, ${(calls / seconds / LIMIT).toFixed(2)} of the limit; ${mostWithin(times, 1_000)} in a second at most`,
  );
  // Over the whole time, since a stall of this machine makes calls arrive together that were apart: never faster than the CRM allows.
  expect(calls).toBeLessThanOrEqual(LIMIT * (seconds + 1));
  expect(await deadLetterCodes(config, codec)).toEqual([]);
  expect(played.recipients()).toHaveLength(PEOPLE);
  second.kill('SIGTERM');
  expect(await once(second, 'exit')).toEqual([0, null]);
});

/** The most calls in any window of this length. */
function mostWithin(times: readonly number[], perMs: number): number {
  let [from, most] = [0, 0];
  for (const [to, time] of times.entries()) {
    while (time - (times[from] ?? time) >= perMs) from += 1;
    most = Math.max(most, to - from + 1);
  }
  return most;
}
