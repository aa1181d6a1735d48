import { expect, test } from 'vitest';
import { BatchSize } from './batch-size.ts';

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
