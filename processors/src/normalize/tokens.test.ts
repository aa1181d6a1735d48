import { Counter, type LastOffset, Registry, tokenDigest } from '@email-events/core';
import { MemoryKafka } from '@email-events/core/testing';
import type { DeadLetter } from '@email-events/schemas';
import { beforeEach, expect, test } from 'vitest';
import { deadLetterCounter } from '../dead-letters.ts';
import { decodeAll, encoderOf, tokenSettings } from '../testing/codecs.ts';
import { ownedPartition } from '../testing/memory-owned.ts';
import { rawRecord, sendgridItem } from '../testing/requests.ts';
import { NormalizeStage } from './normalize-stage.ts';

const PARTITION = 2;
let kafka: MemoryKafka;
beforeEach(() => {
  kafka = new MemoryKafka();
});

async function openStage(): Promise<NormalizeStage> {
  const metrics = new Registry();
  const stage = new NormalizeStage({
    ...{ partitions: 4, deadLetterPartitions: 1, clock: Date.now, tokens: tokenSettings() },
    ...{ encoder: encoderOf('normalized'), deadLetterEncoder: encoderOf('deadLetter') },
    items: new Counter({
      name: 'items',
      help: 'items',
      labelNames: ['result'] as const,
      registers: [metrics],
    }),
    deadLetters: deadLetterCounter(metrics),
  });
  await stage.open(await ownedPartition(kafka, PARTITION));
  return stage;
}

let offset = 0;
const request = (token: string, items: unknown, source = 'main') =>
  rawRecord(
    items,
    { partition: PARTITION, offset: offset++ },
    { source, tokenDigest: tokenDigest(source, token) },
  );

/** What becomes of each record: "events" or the code of its letter. `fate` is that of the transaction. */
async function run(stage: NormalizeStage, records: ReturnType<typeof request>[], fate = 'committed') {
  const step = await stage.process(records);
  if (fate === 'committed') {
    const lastOffset: LastOffset = await (await ownedPartition(kafka, PARTITION)).write(step.outputs);
    await step.committed?.(lastOffset);
  }
  const letters = await decodeAll<DeadLetter>(
    'deadLetter',
    step.outputs.filter(({ topic }) => topic === 'email.dead-letters').map(({ value }) => value),
  );
  return records.map(
    (record) => letters.find(({ origin_offset }) => origin_offset === record.offset)?.code ?? 'events',
  );
}

const [genuine, forged] = [[sendgridItem('open')], [sendgridItem('spamreport')]];
const REPLAYED = 'NORMALIZE_TOKEN_REPLAYED';

test('a second body under a token is a dead letter, as a whole, with its bytes; a repetition is none', async () => {
  const stage = await openStage();
  const records = [request('t', genuine), request('t', forged), request('t', genuine), request('u', forged)];
  expect(await run(stage, records)).toEqual(['events', REPLAYED, 'events', 'events']);
  expect(await run(stage, [request('t', forged)])).toEqual([REPLAYED]);
});

test('tokens are those of a source', async () => {
  const stage = await openStage();
  expect(await run(stage, [request('t', genuine), request('t', forged, 'other')])).toEqual([
    'events',
    'events',
  ]);
});

test('whoever takes the partition over knows them, after a restart and at another instance', async () => {
  await run(await openStage(), [request('t', genuine)]);
  await run(await openStage(), [request('u', genuine)]);
  expect(await run(await openStage(), [request('t', forged), request('u', forged)])).toEqual([
    REPLAYED,
    REPLAYED,
  ]);
});

test('a transaction that came to nothing remembers nothing', async () => {
  const stage = await openStage();
  await run(stage, [request('t', forged)], 'aborted');
  expect(await run(stage, [request('t', genuine)])).toEqual(['events']);
  expect(await run(await openStage(), [request('t', forged)])).toEqual([REPLAYED]);
});

test('a request without a token, or with something else in its place, is none of its business', async () => {
  const stage = await openStage();
  for (const tokenDigest of [null, '', 'x'.repeat(32), 'A'.repeat(1_000)]) {
    const of = (items: unknown) => rawRecord(items, { offset: offset++ }, { tokenDigest });
    expect(await run(stage, [of(genuine), of(forged)])).toEqual(['events', 'events']);
  }
});
