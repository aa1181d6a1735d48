import { deadLetterPartition, type InputRecord, Registry, silentLog } from '@email-events/core';
import { MemoryKafka } from '@email-events/core/testing';
import {
  type DeadLetter,
  type EmailEvent,
  type NormalizedBatch,
  partitionOf,
  recipientKey,
} from '@email-events/schemas';
import { beforeEach, expect, test } from 'vitest';
import { deadLetterReport } from '../dead-letters.ts';
import { decodeAll, encoderOf, ownedPartition, tokenSettings } from '../testing/codecs.ts';
import { RECEIVED_AT, rawRecord, sendgridItem } from '../testing/records.ts';
import { measureNormalize } from './measures.ts';
import { NormalizeStage } from './normalize-stage.ts';

const PARTITIONS = 4;
let metrics: Registry;
let stage: NormalizeStage;
beforeEach(() => {
  metrics = new Registry();
  stage = new NormalizeStage({
    partitions: PARTITIONS,
    deadLetterPartitions: 3,
    encoder: encoderOf('normalized'),
    deadLetterEncoder: encoderOf('deadLetter'),
    ...measureNormalize(metrics),
    deadLetters: deadLetterReport(metrics, silentLog),
    clock: () => RECEIVED_AT + 5,
    timeBounds: { maxFutureMinutes: 1, maxAgeDays: 400 },
    tokens: tokenSettings(),
  });
});

async function run(records: readonly InputRecord[]) {
  const { outputs, committed } = await stage.process(records);
  const of = (topic: string) => outputs.filter((output) => output.topic === topic);
  const batches = of('email.internal.normalized');
  const decoded = await decodeAll<NormalizedBatch>(
    'normalized',
    batches.map(({ value }) => value),
  );
  const letters = of('email.dead-letters');
  return {
    batches: batches.map((output, i) => ({ ...output, events: decoded[i]?.events ?? [] })),
    letters: await decodeAll<DeadLetter>(
      'deadLetter',
      letters.map(({ value }) => value),
    ),
    letterOutputs: letters,
    commit: () => committed?.(() => 0),
  };
}

const to = (n: number, more: object = {}) => sendgridItem('open', { email: `user${n}@example.com`, ...more });
const allEvents = (batches: readonly { events: EmailEvent[] }[]) => batches.flatMap(({ events }) => events);

test('events go where their recipient belongs, one record a partition, in the order of the requests', async () => {
  const records = [0, 1, 2].map((offset) =>
    rawRecord(
      Array.from({ length: 40 }, (_, i) => to(i)),
      { offset },
    ),
  );
  const { batches, letters } = await run(records);
  expect(letters).toEqual([]);
  expect(new Set(batches.map(({ partition }) => partition)).size).toBe(batches.length);
  expect(allEvents(batches)).toHaveLength(120);
  for (const { key, partition, events } of batches) {
    expect(key).toBeNull();
    for (const { recipient } of events)
      expect(partition).toBe(partitionOf(recipientKey(recipient), PARTITIONS));
    const order = events.map(({ raw_offset, item_index }) => raw_offset * 1_000 + item_index);
    expect(order).toEqual([...order].sort((a, b) => a - b));
  }
});

test('believes a time as far ahead as it was told', async () => {
  const ahead = (seconds: number) => to(1, { timestamp: RECEIVED_AT / 1_000 + seconds });
  const { batches } = await run([rawRecord([ahead(60), ahead(61)])]);
  expect(allEvents(batches).map((event) => [event.occurred_at, event.occurred_at_source])).toEqual([
    [RECEIVED_AT + 60_000, 'esp'],
    [RECEIVED_AT, 'bounded'],
  ]);
});

test('spellings of an address meet on one partition', async () => {
  const spellings = ['Ann@BÜCHER.example', 'ann@xn--bcher-kva.example', ' ann@bücher.example '];
  const { batches } = await run([rawRecord(spellings.map((email) => sendgridItem('open', { email })))]);
  expect(batches).toHaveLength(1);
});

test('a batch is cut so that every record stays below its limit, and loses nothing', async () => {
  const padded = Array.from({ length: 60 }, (_, i) => to(1, { useragent: 'x'.repeat(40_000), n: i }));
  const { batches } = await run([rawRecord(padded)]);
  expect(batches.length).toBeGreaterThan(2);
  for (const { value } of batches) expect(value?.length).toBeLessThanOrEqual(800_000);
  expect(allEvents(batches).map(({ item_index }) => item_index)).toEqual(padded.map((_, i) => i));
});

test('an event beyond the limit of a batch travels alone, one beyond a record is a dead letter', async () => {
  const large = to(1, { useragent: 'x'.repeat(1_200_000) });
  const endless = to(1, { useragent: 'x'.repeat(1_950_000) });
  const { batches, letters } = await run([rawRecord([to(1), large, to(1)]), rawRecord([endless, to(1)])]);
  expect(allEvents(batches)).toHaveLength(4);
  expect(batches.some(({ events, value }) => events.length === 1 && (value?.length ?? 0) > 1_200_000)).toBe(
    true,
  );
  expect(letters).toMatchObject([
    { code: 'NORMALIZE_EVENT_TOO_LARGE', item_index: 0, item: null, esp: 'sendgrid' },
  ]);
  expect(letters[0]?.value?.length).toBeGreaterThan(1_950_000);
});

test('only the first dead letter of a record carries its value, and all lie together', async () => {
  const bad = { event: 'open' };
  const endless = to(1, { useragent: 'x'.repeat(1_950_000) });
  const record = rawRecord([bad, to(1), endless, bad], { partition: 2, offset: 9 });
  const other = rawRecord('no list', { partition: 2, offset: 10 });
  const { letters, letterOutputs } = await run([record, other]);
  const of = (offset: number) => letters.filter(({ origin_offset }) => origin_offset === offset);
  expect(of(9).map(({ item_index }) => item_index)).toEqual([0, 3, 2]);
  expect(of(9).map(({ value }) => value !== null)).toEqual([true, false, false]);
  expect(of(9)[0]?.value?.equals(record.value as Buffer)).toBe(true);
  expect(JSON.parse(String(of(9)[1]?.item))).toEqual(bad);
  expect(of(10)).toMatchObject([{ code: 'NORMALIZE_BODY_UNREADABLE', item_index: null }]);
  expect(letterOutputs.map(({ key }) => key)).toEqual([
    'email.raw/2/9/0',
    'email.raw/2/9/3',
    'email.raw/2/10',
    'email.raw/2/9/2',
  ]);
  for (const [i, { partition }] of letterOutputs.entries())
    expect(partition).toBe(deadLetterPartition(letters[i] as DeadLetter, 3));
});

test('a dead letter keeps origin, time, request and headers byte for byte', async () => {
  const headers = { ...rawRecord([]).headers, extra: Buffer.from([0, 255, 7]) };
  const record = { ...rawRecord([], { partition: 1, offset: 5 }), headers, value: Buffer.from([0x80, 0x81]) };
  const { letters } = await run([record]);
  expect(letters).toEqual([
    expect.objectContaining({
      stage: 'normalize',
      code: 'NORMALIZE_BODY_UNREADABLE',
      attempts: 1,
      first_at: RECEIVED_AT + 5,
      last_at: RECEIVED_AT + 5,
      origin_topic: 'email.raw',
      origin_partition: 1,
      origin_offset: 5,
      source: 'main',
      request_id: '0199b7a0-1111-7222-8333-444455556666',
      key: null,
    }),
  ]);
  expect(letters[0]?.value?.equals(record.value)).toBe(true);
  expect(letters[0]?.headers.extra?.equals(headers.extra)).toBe(true);
});

test('the dead letter of the largest record fits its topic', async () => {
  const bad = { note: 'x'.repeat(2_090_000) };
  const { letterOutputs, letters } = await run([rawRecord([bad])]);
  expect(letterOutputs[0]?.value?.length).toBeLessThan(4_194_304 - 1_000);
  expect(letters[0]?.value).not.toBeNull();
});

test('items are counted once they are committed', async () => {
  await stage.open(await ownedPartition(new MemoryKafka(), 3));
  const { commit } = await run([rawRecord([to(1), to(2), { event: 'open' }])]);
  const of = (result: string) =>
    `email_events_normalize_items_total{partition="3",source="main",result="${result}"}`;
  expect(await metrics.metrics()).not.toContain(of('normalized'));
  commit();
  const text = await metrics.metrics();
  expect(text).toContain(`${of('normalized')} 2`);
  expect(text).toContain(`${of('dead_letter')} 1`);
  expect(text).toContain(
    'email_events_normalize_requests_total{partition="3",source="main",via="ingress"} 1',
  );
  expect(text).toMatch(/email_events_dead_letters_total\{stage="normalize",code="NORMALIZE_\w+"\} 1/);
});

test('a request without items is nothing to write', async () => {
  const { outputs } = await stage.process([rawRecord([])]);
  expect(outputs).toEqual([]);
});

test('who makes the work fail is an account, however many webhooks it has', async () => {
  const failure = { error: new RangeError('too much'), attempts: 3 };
  const blamed = async (request: object) =>
    (await stage.setAside(rawRecord([to(1)], {}, request), failure)).unforeseen?.[0]?.sources;
  expect(await blamed({ source: 'main' })).toEqual(['main']);
  for (const source of ['first', 'second', 'third'])
    expect(await blamed({ source, account: 'one' })).toEqual(['one']);
});
