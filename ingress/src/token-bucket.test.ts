import { expect, test } from 'vitest';
import { TokenBucket } from './token-bucket.ts';

test('a second’s worth at once, then the rate', () => {
  const bucket = new TokenBucket(2, 0);
  for (let i = 0; i < 2; i++) {
    expect(bucket.wait(0)).toBe(0);
    bucket.take(0);
  }
  expect(bucket.wait(0)).toBe(0.5);
  expect(bucket.wait(250)).toBe(0.25);
  expect(bucket.wait(500)).toBe(0);
  bucket.take(500);
  expect(bucket.wait(500)).toBe(0.5);
});

test('a pause saves up no more than a second’s worth', () => {
  const bucket = new TokenBucket(2, 0);
  for (let i = 0; i < 2; i++) bucket.take(3_600_000);
  expect(bucket.wait(3_600_000)).toBe(0.5);
});

test('rates below one a second', () => {
  const bucket = new TokenBucket(0.1, 0);
  expect(bucket.wait(0)).toBe(0);
  bucket.take(0);
  expect(bucket.wait(0)).toBe(10);
});
