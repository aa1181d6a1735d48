import { type LastOffset, Registry, silentLog, tokenDigest } from '@email-events/core';
import { MemoryKafka } from '@email-events/core/testing';
import type { DeadLetter } from '@email-events/schemas';
import { beforeEach, expect, test } from 'vitest';
import { deadLetterReport } from '../dead-letters.ts';
import { decodeAll, encoderOf, ownedPartition, tokenSettings } from '../testing/codecs.ts';
import { rawRecord, sendgridItem } from '../testing/records.ts';
import { NormalizeStage } from './normalize-stage.ts';
import { ENTRY_BYTES, TokenMemory } from './tokens.ts';

const HOUR = 3_600_000;
const entry = (token: number, body = 1) => {
  const bytes = Buffer.alloc(ENTRY_BYTES);
  bytes.writeUInt32BE(token, 0);
  bytes.writeUInt32BE(body, ENTRY_BYTES / 2);
  return bytes;
};

function memory(maxEntries = 1_000) {
  const forgotten: number[] = [];
  const options = { windowMs: 48 * HOUR, maxEntries, onOverflow: (count: number) => forgotten.push(count) };
  return { tokens: new TokenMemory(options), forgotten };
}

test('a token is good for one body, the first', () => {
  const { tokens } = memory();
  expect(tokens.judge(entry(1))).toBe('new');
  tokens.add(Buffer.concat([entry(1), entry(1, 2), entry(2)]), 0);
  expect([entry(1), entry(1, 2), entry(2), entry(3)].map((of) => tokens.judge(of))).toEqual([
    'same',
    'other',
    'same',
    'new',
  ]);
  expect(tokens.size).toBe(2);
});

test('it is remembered for the window at least, by the time of requests, and not for ever', () => {
  const { tokens, forgotten } = memory();
  for (let hour = 0; hour <= 200; hour++) {
    tokens.add(entry(hour), hour * HOUR);
    for (let ago = 0; ago <= Math.min(hour, 48); ago++)
      expect(tokens.judge(entry(hour - ago, 2))).toBe('other');
  }
  expect(tokens.judge(entry(0, 2))).toBe('new');
  expect(tokens.size).toBeLessThan(100);
  expect(forgotten).toEqual([]);
});

test('a request that is read late forgets nothing early', () => {
  const { tokens } = memory();
  tokens.add(entry(1), 100 * HOUR);
  tokens.add(entry(2), 10 * HOUR);
  tokens.add(entry(3), 110 * HOUR);
  expect([1, 2, 3].map((token) => tokens.judge(entry(token)))).toEqual(['same', 'same', 'same']);
});

test('beyond its bound the oldest go, and that is told', () => {
  const { tokens, forgotten } = memory(100);
  for (let token = 0; token < 1_000; token++) {
    tokens.add(entry(token), token);
    expect(tokens.size).toBeLessThanOrEqual(100);
    expect(tokens.judge(entry(token))).toBe('same');
  }
  expect(forgotten.reduce((sum, count) => sum + count, 0) + tokens.size).toBe(1_000);
});

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
    openStages: new Set(),
    deadLetters: deadLetterReport(metrics, silentLog),
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

/** The outcome of each record: "events" or the code of its letter. `fate` is that of the transaction. */
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

test('the next owner of the partition knows them, after a restart and at another instance', async () => {
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
