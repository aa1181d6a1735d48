import { expect, test } from 'vitest';
import { retryAfterMs } from './retry-after.ts';

const NOW = Date.parse('2026-03-04T05:06:07.000Z');

test.each([
  ['0', 0],
  ['3', 3_000],
  [' 120 ', 120_000],
  ['0.5', 500],
  ['Wed, 04 Mar 2026 05:06:17 GMT', 10_000],
  ['Wednesday, 04-Mar-26 05:06:17 GMT', 10_000],
  ['Wed Mar  4 05:06:17 2026 GMT', 10_000],
])('%j asks for %d ms', (header, ms) => {
  expect(retryAfterMs(header, NOW)).toBe(ms);
});

test('a date in the past asks for nothing', () => {
  expect(retryAfterMs('Wed, 04 Mar 2026 05:00:00 GMT', NOW)).toBe(0);
});

test('a pause is an hour at most', () => {
  expect(retryAfterMs('99999999', NOW)).toBe(3_600_000);
  expect(retryAfterMs('Fri, 04 Mar 2033 05:00:00 GMT', NOW)).toBe(3_600_000);
});

test.each([undefined, '', ' ', 'soon', '-5', 'NaN', '1e3x', '2026', '2026-03-04'])(
  '%j asks for nothing in particular, or is a plain number of seconds',
  (header) => {
    expect(retryAfterMs(header, NOW)).toBe(header === '2026' ? 2_026_000 : undefined);
  },
);
