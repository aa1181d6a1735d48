import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseMetrics } from '@email-events/cli/admin-port';
import { type Accounting, accountingOf, readAccounting } from '@email-events/cli/status/accounting';
import { encodeReplay } from '@email-events/core';
import { topics } from '@email-events/schemas';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CountingPipeline, EVENTS, NORMALIZE } from './counting-pipeline.ts';

let folder: string;
let pipeline: CountingPipeline;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'accounting-'));
  pipeline = new CountingPipeline(folder);
});
afterEach(async () => {
  await pipeline.close();
  rmSync(folder, { recursive: true });
});

async function account(options?: { lost?: number }): Promise<Accounting> {
  const accounting = accountingOf((await pipeline.metrics(options)).map(parseMetrics));
  if (!accounting) throw new Error('nothing is told');
  return accounting;
}

const firstBatch = () => {
  const [record] = pipeline.kafka.committed(topics.normalized, 0);
  if (!record) throw new Error('normalize has written nothing');
  return record;
};

test('every request and event is accounted for, by source and over restarts', async () => {
  pipeline.request('shop', ['a', 'b', '']);
  pipeline.request('news', ['c']);
  await pipeline.run(NORMALIZE);
  expect(await account()).toMatchObject({ atRest: false, normalized: 3, handedOver: 0, wrong: [] });
  await pipeline.run(NORMALIZE, EVENTS);
  pipeline.request('shop', ['a', 'd']);
  await pipeline.run(NORMALIZE, EVENTS);
  expect(await account()).toEqual({
    ...{ atRest: true, wrong: [], normalized: 5, handedOver: 5 },
    ...{ received: 5, emitted: 4, duplicates: 1, deadLetters: 0, erased: 0 },
    sources: [
      { name: 'news', published: 1, read: 1, putBack: 0, normalized: 1, deadLetters: 0 },
      { name: 'shop', published: 2, read: 2, putBack: 0, normalized: 4, deadLetters: 1 },
    ],
  });
});

test('an event that is lost on its way is noticed', async () => {
  pipeline.request('shop', ['a', 'b']);
  await pipeline.run(NORMALIZE);
  const { kafka } = pipeline;
  kafka.commitOffset(EVENTS, topics.normalized, 0, firstBatch().offset + 1, '1 0');
  await pipeline.run(NORMALIZE, EVENTS);
  expect((await account()).wrong).toEqual(['2 events of normalize did not arrive at events']);
});

test('an event that its writer counted and did not write is noticed', async () => {
  pipeline.request('shop', ['a', 'b']);
  await pipeline.run(NORMALIZE);
  const { offset, value, headers } = firstBatch();
  pipeline.kafka.produce(topics.normalized, 0, { value: await pipeline.shortened(value), headers });
  pipeline.kafka.commitOffset(EVENTS, topics.normalized, 0, offset + 1, null);
  await pipeline.run(NORMALIZE, EVENTS);
  expect((await account()).wrong).toEqual(['1 event of normalize did not arrive at events']);
});

test('an event that comes twice out of normalize is noticed, although it is a duplicate', async () => {
  pipeline.request('shop', ['a', 'b']);
  await pipeline.run(NORMALIZE);
  const { value, headers } = firstBatch();
  pipeline.kafka.produce(topics.normalized, 0, { value, headers });
  await pipeline.run(NORMALIZE, EVENTS);
  const { wrong, emitted, duplicates } = await account();
  expect({ emitted, duplicates }).toEqual({ emitted: 2, duplicates: 2 });
  expect(wrong).toEqual(['2 events arrived at events beyond those that normalize made']);
});

test('a request that Kafka acknowledged and lost is noticed, by source', async () => {
  pipeline.request('shop', ['a']);
  pipeline.request('news', ['b']);
  await pipeline.run(NORMALIZE, EVENTS);
  expect((await account({ lost: 1 })).wrong).toEqual([
    '1 acknowledged request of news never read',
    '1 acknowledged request of shop never read',
  ]);
});

test('what an ingress has published before anything was counted is not missed', async () => {
  pipeline.request('shop', ['a']);
  pipeline.request('shop', ['b']);
  // Committed by a version that counts nothing.
  pipeline.kafka.commitOffset(NORMALIZE, topics.raw, 0, 1);
  await pipeline.run(NORMALIZE, EVENTS);
  const { sources, wrong } = await account();
  expect({ sources, wrong }).toMatchObject({ sources: [{ published: 2, read: 1 }], wrong: [] });
  pipeline.ingressStartedAt = Date.now() / 1_000 + 60;
  expect((await account()).wrong).toEqual(['1 acknowledged request of shop never read']);
});

test('what an operator puts back does not hide what is lost, and is nothing wrong', async () => {
  pipeline.request('shop', ['a', '']);
  await pipeline.run(NORMALIZE, EVENTS);
  const replay = encodeReplay({
    ...{ topic: topics.raw, partition: 0, offset: 0, items: [1], events: null, letters: [] },
    ...{ reason: 'dead-letter', sink: null, recordedAt: 0 },
  });
  pipeline.request('shop', ['a', 'x'], { replay });
  const { value, headers } = firstBatch();
  pipeline.kafka.produce(topics.normalized, 0, { value, headers: { ...headers, replay } });
  await pipeline.run(NORMALIZE, EVENTS);
  const { sources, wrong, received } = await account();
  expect(sources).toMatchObject([{ published: 1, read: 2, putBack: 1, normalized: 2 }]);
  expect({ wrong, received }).toEqual({ wrong: [], received: 2 });
  expect((await account({ lost: 1 })).wrong).toEqual(['1 acknowledged request of shop never read']);
});

test('a record of an earlier version, which counts nothing, is nothing wrong', async () => {
  pipeline.request('shop', ['a']);
  await pipeline.run(NORMALIZE);
  const { value } = firstBatch();
  pipeline.kafka.produce(topics.normalized, 0, { value });
  await pipeline.run(NORMALIZE, EVENTS);
  expect(await account()).toMatchObject({ wrong: [], handedOver: 1, received: 2 });
});

test('counts of a partition that do not come to what it received are wrong at any moment', async () => {
  pipeline.request('shop', ['a', 'b']);
  await pipeline.run(NORMALIZE, EVENTS);
  const texts = await pipeline.metrics();
  const wrong = texts.map((text) => text.replace(/(result="emitted"\S*) 2/, '$1 1'));
  expect(accountingOf(wrong.map(parseMetrics))?.wrong).toEqual([
    'partition 0 of events: 1 of 2 received events unaccounted for',
  ]);
});

test('is wrong only what is wrong twice: services are not read at the same moment', async () => {
  pipeline.request('shop', ['a']);
  await pipeline.run(NORMALIZE, EVENTS);
  const [good, bad] = [await pipeline.metrics(), await pipeline.metrics({ lost: 1 })];
  const reading = (answers: readonly (readonly string[])[]) => {
    let reads = 0;
    return readAccounting(['0', '1', '2'], async (url) => {
      const round = answers[Math.floor(reads++ / 3)];
      return parseMetrics(round?.[Number(url)] ?? '');
    });
  };
  expect((await reading([bad, good]))?.wrong).toEqual([]);
  expect((await reading([bad, bad]))?.wrong).toEqual(['1 acknowledged request of shop never read']);
});

test('a service that does not answer leaves nothing to be told', async () => {
  pipeline.request('shop', ['a']);
  await pipeline.run(NORMALIZE, EVENTS);
  const all = (await pipeline.metrics()).map(parseMetrics);
  expect(accountingOf([...all, null])).toBeNull();
  expect(accountingOf(all.slice(0, 1))).toBeNull();
});
