import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CommittedOffset, encodeIntent, type Plan } from './batch.ts';
import { Entry } from './entry.ts';
import { LaneBuffer } from './lane-buffer.ts';

const limits = { batchRows: 10, batchBytes: 1_000, flushMs: 100 };
const reader = { load: async () => {}, read: (_topic: string, value: Buffer) => value.toString() };

function entry(topic: string, offset: number, size = 1): Entry<string> {
  const value = Buffer.alloc(size);
  return new Entry({ topic, partition: 0, offset, key: null, value, headers: {}, timestamp: 0 }, reader);
}

const committed = (
  topic: string,
  offset: number | null = 0,
  metadata: string | null = null,
): CommittedOffset => ({
  topic,
  partition: 0,
  offset,
  metadata,
});

function bufferOf(...offsets: CommittedOffset[]): LaneBuffer<string> {
  let count = 0;
  return new LaneBuffer('group', 'lane', limits, offsets, () => `nonce${count++}`);
}

const add = (
  buffer: LaneBuffer<string>,
  topic: string,
  offsets: number[],
  next = (offsets.at(-1) ?? 0) + 1,
  now = 0,
) =>
  buffer.add(
    topic,
    0,
    offsets.map((offset) => entry(topic, offset)),
    next,
    now,
  );

const contents = (plan: Plan<string> | undefined) =>
  plan?.entries.map(({ topic, offset }) => `${topic}${offset}`);

test('a batch is due by rows, by bytes or by age', () => {
  const rows = bufferOf(committed('a'));
  add(rows, 'a', [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  expect(rows.dueAt()).toBe(100);
  expect(rows.take(99)).toBeUndefined();
  add(rows, 'a', [9]);
  expect(rows.dueAt()).toBe(0);
  const bytes = bufferOf(committed('a'));
  bytes.add('a', 0, [entry('a', 0, 600), entry('a', 1, 600)], 2, 5);
  expect(contents(bytes.take(6))).toEqual(['a0']);
  expect(bytes.dueAt()).toBe(105);
  expect(contents(bytes.take(105))).toEqual(['a1']);
});

test('a record larger than a batch is a batch alone', () => {
  const buffer = bufferOf(committed('a'));
  buffer.add('a', 0, [entry('a', 0, 5_000), entry('a', 1)], 2, 0);
  expect(contents(buffer.take(1))).toEqual(['a0']);
});

test('ranges are per topic, go on where the last one ended, and end behind a record', () => {
  const buffer = bufferOf(committed('b', 5), committed('a', 2));
  add(buffer, 'b', [5, 8], 12);
  add(buffer, 'a', [4], 5);
  const first = buffer.take(100);
  expect(contents(first)).toEqual(['a4', 'b5', 'b8']);
  expect(first?.intent.ranges).toEqual([
    { topic: 'a', partition: 0, start: 2, end: 5 },
    { topic: 'b', partition: 0, start: 5, end: 9 },
  ]);
  add(buffer, 'b', [14], 15);
  expect(buffer.take(300)?.intent.ranges).toEqual([{ topic: 'b', partition: 0, start: 9, end: 15 }]);
});

test('after the last record the markers behind it are committed too', () => {
  const buffer = bufferOf(committed('a'));
  add(buffer, 'a', [0, 1], 3);
  const plan = buffer.take(100);
  expect(buffer.commitAfter(plan?.intent.ranges ?? [])).toEqual([
    { topic: 'a', partition: 0, start: 0, end: 3 },
  ]);
  buffer.skipTo('a', 0, 6);
  expect(buffer.idle()).toEqual([{ topic: 'a', partition: 0, start: 3, end: 6 }]);
  buffer.commitAfter(buffer.idle());
  expect(buffer.idle()).toEqual([]);
});

test('while more of the partition waits, only what was written is committed', () => {
  const buffer = bufferOf(committed('a'));
  add(buffer, 'a', [0]);
  const plan = buffer.take(100);
  add(buffer, 'a', [1], 9);
  expect(buffer.commitAfter(plan?.intent.ranges ?? [])).toEqual([
    { topic: 'a', partition: 0, start: 0, end: 1 },
  ]);
  expect(buffer.idle()).toEqual([]);
});

test('an announced batch waits for all its ranges and takes nothing else', () => {
  const buffer = bufferOf(
    committed('a', 0, encodeIntent('old', 3, 2)),
    committed('b', 0, encodeIntent('old', 2, 2)),
    committed('c'),
  );
  add(buffer, 'a', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  add(buffer, 'c', [0]);
  expect(buffer.take(1_000)).toBeUndefined();
  expect(buffer.missing()).toEqual([{ topic: 'b', partition: 0, start: 0, end: 2 }]);
  add(buffer, 'b', [0, 1, 2]);
  const plan = buffer.take(1_000);
  expect(plan?.redo).toBe(true);
  expect(contents(plan)).toEqual(['a0', 'a1', 'a2', 'b0', 'b1']);
  expect(contents(buffer.take(1_000))).toEqual([
    'a3',
    'a4',
    'a5',
    'a6',
    'a7',
    'a8',
    'a9',
    'a10',
    'a11',
    'c0',
  ]);
});

test('a range whose records are gone does not hold up its batch', () => {
  const buffer = bufferOf(committed('a', 0, encodeIntent('old', 3, 1)));
  buffer.skipTo('a', 0, 3);
  expect(contents(buffer.take(0))).toEqual([]);
});

test('a plan that is put back is as if it had not been taken', () => {
  const buffer = bufferOf(committed('a', 3), committed('b'));
  add(buffer, 'a', [3, 4, 7]);
  add(buffer, 'b', [0, 1]);
  const before = { rows: buffer.rows, bytes: buffer.bytes };
  const plan = buffer.take(100);
  expect(buffer.rows).toBe(0);
  if (plan) buffer.putBack(plan);
  expect({ rows: buffer.rows, bytes: buffer.bytes }).toEqual(before);
  expect(buffer.dueAt()).toBeLessThanOrEqual(100);
  const again = buffer.take(100);
  expect(contents(again)).toEqual(contents(plan));
  expect(again?.intent.ranges).toEqual(plan?.intent.ranges);
  // No record waits any more, so the commit may go to the end of the ranges.
  expect(buffer.commitAfter(again?.intent.ranges ?? []).map(({ end }) => end)).toEqual([8, 2]);
});

test('a batch that grows goes on from where it ended, in the order of its partitions, as far as there is room', () => {
  const buffer = bufferOf(committed('a'), committed('b'), committed('c', 5));
  add(buffer, 'b', [0, 1]);
  const plan = buffer.take(100) as Plan<string>;
  add(buffer, 'b', [2, 5]);
  add(buffer, 'a', [0]);
  add(buffer, 'c', [5, 6]);
  expect(buffer.extend(plan, { rows: 0, bytes: 9 })).toBe(plan);
  const grown = buffer.extend(plan, { rows: 4, bytes: 1_000 });
  expect(contents(grown)).toEqual(['a0', 'b0', 'b1', 'b2', 'b5', 'c5']);
  expect([grown.id, grown.intent.nonce]).toEqual([plan.id, plan.intent.nonce]);
  expect(grown.intent.ranges).toEqual([
    { topic: 'a', partition: 0, start: 0, end: 1 },
    { topic: 'b', partition: 0, start: 0, end: 6 },
    { topic: 'c', partition: 0, start: 5, end: 6 },
  ]);
  expect(buffer.commitAfter(grown.intent.ranges).map(({ end }) => end)).toEqual([1, 6, 6]);
  expect(contents(buffer.take(1_000))).toEqual(['c6']);
});

test('whatever came in whatever pieces, a new owner forms the announced batch again, record for record', () => {
  const fetches = fc.array(
    fc.record({
      topic: fc.constantFrom('a', 'b', 'c'),
      count: fc.integer({ min: 1, max: 9 }),
      gap: fc.nat(2),
    }),
    { minLength: 1, maxLength: 20 },
  );
  fc.assert(
    fc.property(fetches, fetches, (first, second) => {
      const owner = bufferOf(committed('a'), committed('b'), committed('c'));
      const log = feed(owner, first, 0);
      const plan = owner.take(1_000);
      if (!plan) return;
      const offsets = ['a', 'b', 'c'].map((topic) => {
        const range = plan.intent.ranges.find((r) => r.topic === topic);
        const metadata = range && encodeIntent(plan.intent.nonce, range.end, plan.intent.ranges.length);
        return committed(topic, range?.start ?? 0, metadata ?? null);
      });
      const heir = bufferOf(...offsets);
      // Another arrival order and more records than before.
      for (const topic of ['c', 'a', 'b']) add(heir, topic, log.get(topic) ?? [], undefined, 0);
      feed(heir, second, 1_000);
      const again = heir.take(1_000);
      expect(again?.id).toBe(plan.id);
      expect(contents(again)).toEqual(contents(plan));
    }),
  );
});

/** Adds fetches to a buffer; returns the offsets of each topic that has any. */
function feed(
  buffer: LaneBuffer<string>,
  fetches: readonly { topic: string; count: number; gap: number }[],
  from: number,
): Map<string, number[]> {
  const log = new Map<string, number[]>();
  const ends = new Map<string, number>();
  for (const { topic, count, gap } of fetches) {
    const start = (ends.get(topic) ?? from) + gap;
    const offsets = Array.from({ length: count }, (_, n) => start + n * (gap + 1));
    ends.set(topic, (offsets.at(-1) ?? 0) + 1);
    log.set(topic, [...(log.get(topic) ?? []), ...offsets]);
    add(buffer, topic, offsets);
  }
  return log;
}
