import { replayOf } from '@email-events/core';
import { expect, test } from 'vitest';
import { isBlast, repairs, type StateRecord } from './reconcile.ts';

const record = (recipient: string, more: Partial<StateRecord> = {}): StateRecord => ({
  ...{ recipient, partition: 2, offset: 7n, timestamp: 1_234, value: Buffer.from('state') },
  ...{ headers: { origin: Buffer.from('x') }, ...more },
});

test.each([
  [0, 0, false],
  [1, 1, false],
  [2, 100, true],
  [10, 1_000, false],
  [11, 1_000, true],
  [100, 1_000_000, false],
  [101, 1_000_000, true],
])('%d changes of %d: a number is needed: %s', (count, suppressed, blast) => {
  expect(isBlast(count, suppressed)).toBe(blast);
});

test('a repair goes to one consumer, keeps its partition, its bytes and the time at which it was recorded', () => {
  const [output] = repairs([record('ada@example.com')], 'sink-crm-news');
  expect(output).toMatchObject({
    ...{ topic: 'email.internal.replays', partition: 2, key: Buffer.from('ada@example.com') },
    value: Buffer.from('state'),
  });
  expect(output?.headers?.origin?.toString()).toBe('x');
  expect(replayOf({ headers: output?.headers ?? {} })).toMatchObject({
    ...{ topic: 'email.suppressions', partition: 2, offset: 7, recordedAt: 1_234 },
    ...{ sink: 'sink-crm-news', items: null, letters: [] },
  });
});

test('one that was replayed before takes along what it went through, so that a further failure is seen', () => {
  const letter = { attempts: 7, firstAt: 55, replays: 1 } as StateRecord['letter'];
  const [output] = repairs([record('ada@example.com', letter ? { letter } : {})], 'sink-crm-news');
  expect(replayOf({ headers: output?.headers ?? {} })?.letters).toEqual([
    { item: null, attempts: 7, firstAt: 55, replays: 2 },
  ]);
});
