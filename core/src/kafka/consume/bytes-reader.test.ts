import { expect, test } from 'vitest';
import { zigzag } from '../testing/record-batch.ts';
import { BytesReader } from './bytes-reader.ts';

test('numbers of 32 bits', () => {
  const numbers = [0, 1, -1, 63, 64, -64, -65, 8_191, 8_192, 2 ** 31 - 1, -(2 ** 31)];
  const reader = new BytesReader(Buffer.concat(numbers.map(zigzag)), 0);
  expect(numbers.map(() => reader.varint())).toEqual(numbers);
});

test('numbers of 64 bits, exact as far as a number can be', () => {
  const numbers = [0, -1, 2 ** 31, -(2 ** 31), 2 ** 32, 1_700_000_000_000, -1_700_000_000_000, 2 ** 52];
  const reader = new BytesReader(Buffer.concat(numbers.map(zigzag)), 0);
  expect(numbers.map(() => reader.varlong())).toEqual(numbers);
});

test('bytes, none, and none at all', () => {
  const bytes = Buffer.concat([zigzag(3), Buffer.from('abc'), zigzag(0), zigzag(-1), zigzag(7)]);
  const reader = new BytesReader(bytes, 0);
  expect(String(reader.varBytes())).toBe('abc');
  expect(reader.varBytes()).toEqual(Buffer.alloc(0));
  expect(reader.varBytes()).toBeNull();
  expect(reader.varint()).toBe(7);
});

test.each([
  ['a number that does not end', Buffer.alloc(12, 0xff)],
  ['a number that is cut off', Buffer.from([0x80])],
  ['nothing', Buffer.alloc(0)],
])('%s is an error', (_what, bytes) => {
  expect(() => new BytesReader(bytes, 0).varint()).toThrow(RangeError);
  expect(() => new BytesReader(bytes, 0).varlong()).toThrow(RangeError);
  expect(() => new BytesReader(bytes, 0).varBytes()).toThrow(RangeError);
});

test('bytes beyond the end are an error', () => {
  expect(() => new BytesReader(Buffer.concat([zigzag(4), Buffer.from('abc')]), 0).varBytes()).toThrow(
    RangeError,
  );
  expect(() => new BytesReader(zigzag(2 ** 31 - 1), 0).varBytes()).toThrow(RangeError);
});
