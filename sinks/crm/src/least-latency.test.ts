import { expect, test } from 'vitest';
import { LeastLatency } from './least-latency.ts';

test('the least of the last minute or two', () => {
  const latency = new LeastLatency();
  expect(latency.least).toBe(Number.POSITIVE_INFINITY);
  latency.note(20, 0);
  latency.note(5, 1_000);
  expect(latency.least).toBe(5);
  // A CRM that is further away from now on.
  latency.note(80, 61_000);
  expect(latency.least).toBe(5);
  latency.note(90, 122_000);
  expect(latency.least).toBe(80);
});
