import { expect, test } from 'vitest';
import { BatchSize, batchId, type CommittedOffset, encodeIntent, intentOf } from './batch.ts';

const at = (topic: string, offset: number | null, metadata: string | null = null): CommittedOffset => ({
  topic,
  partition: 2,
  offset,
  metadata,
});

test('an announced batch is read back with its ranges in one order', () => {
  const committed = [
    at('b', 10, encodeIntent('n1', 15, 2)),
    at('c', 7),
    at('a', 0, encodeIntent('n1', 3, 2)),
    at('d', null),
  ];
  expect(intentOf(committed)).toEqual({
    nonce: 'n1',
    ranges: [
      { topic: 'a', partition: 2, start: 0, end: 3 },
      { topic: 'b', partition: 2, start: 10, end: 15 },
    ],
  });
});

test('how a batch is cut is read back, and takes few bytes of what a broker allows', () => {
  const metadata = encodeIntent('n1', 2 ** 52, 11, 'month-1');
  expect(metadata.length).toBeLessThan(100);
  expect(intentOf([at('a', 0, encodeIntent('n1', 3, 1, 'month-1'))])).toMatchObject({ cut: 'month-1' });
});

test('a batch that is not cut is announced as every version has done it', () => {
  expect(encodeIntent('n1', 3, 2)).toBe('i1 n1 3 2');
  expect(intentOf([at('a', 0, 'i1 n1 3 1')])).toEqual({
    nonce: 'n1',
    cut: undefined,
    ranges: [{ topic: 'a', partition: 2, start: 0, end: 3 }],
  });
});

test('what someone else wrote into the metadata announces nothing', () => {
  expect(
    intentOf([
      at('a', 1, 'hello'),
      at('b', 1, ''),
      at('c', 1, null),
      at('d', 1, 'i2 n 5 1'),
      at('e', 1, 'i3 n 5 1 x'),
    ]),
  ).toBeUndefined();
});

test('an announcement of which a range was reset by hand is void', () => {
  expect(intentOf([at('a', 0, encodeIntent('n1', 3, 2)), at('b', 10)])).toBeUndefined();
});

test('the id is the same for the same announcement and differs with each part of it', () => {
  const intent = { nonce: 'n', ranges: [{ topic: 'a', partition: 0, start: 1, end: 9 }] };
  const id = batchId('group', 'lane', intent);
  expect(batchId('group', 'lane', structuredClone(intent))).toBe(id);
  const others = [
    batchId('other', 'lane', intent),
    batchId('group', 'other', intent),
    batchId('group', 'lane', { ...intent, nonce: 'm' }),
    batchId('group', 'lane', { ...intent, ranges: [{ topic: 'a', partition: 0, start: 1, end: 8 }] }),
  ];
  expect(new Set([id, ...others]).size).toBe(5);
});

const most = { batchRows: 1_000, batchBytes: 10_000, flushMs: 5 };

test('what was too much makes the next batches smaller, and what goes well larger again', () => {
  const size = new BatchSize(most);
  expect(size).toMatchObject(most);
  size.tooLarge(800);
  expect([size.batchRows, size.batchBytes]).toEqual([400, 4_000]);
  size.wentWell();
  expect(size.batchRows).toBe(800);
  size.wentWell();
  size.wentWell();
  expect([size.batchRows, size.batchBytes]).toEqual([1_000, 10_000]);
});

test('it is never larger than it was said, and never nothing', () => {
  const size = new BatchSize(most);
  size.atMost(10);
  size.atMost(50);
  expect(size.batchRows).toBe(10);
  for (let n = 0; n < 10; n++) size.tooLarge(1);
  expect([size.batchRows, size.batchBytes]).toEqual([1, 10]);
});
