import { expect, test } from 'vitest';
import { after, Sequences } from './sequences.ts';

const LAST = 2 ** 31 - 1;

test('each partition counts by itself, and nothing is given twice', () => {
  const sequences = new Sequences();
  expect(sequences.take('t', 0, 3)).toBe(0);
  expect(sequences.take('t', 0, 1)).toBe(3);
  expect(sequences.take('t', 1, 1)).toBe(0);
  expect(sequences.take('u', 0, 1)).toBe(0);
  expect(sequences.take('t', 0, 1)).toBe(4);
  sequences.reset();
  expect(sequences.take('t', 0, 1)).toBe(0);
});

test('after the last number comes 0, also in the middle of a batch', () => {
  // kafkajs 2.2.4 begins at 0 whatever was left over, and never uses the last number; brokers count on.
  expect(after(LAST - 1, 1)).toBe(LAST);
  expect(after(LAST, 1)).toBe(0);
  expect(after(LAST - 1, 5)).toBe(3);
  expect(after(0, 2 ** 31)).toBe(0);
});

test('the numbers go on over the end', () => {
  const sequences = new Sequences(LAST - 2);
  expect(Array.from({ length: 4 }, () => sequences.take('t', 0, 2))).toEqual([LAST - 2, LAST, 1, 3]);
});
