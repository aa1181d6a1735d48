import { expect, test } from 'vitest';
import { askedMs, callsLeft, untilMs } from './announced.ts';

const NOW = Date.parse('2026-03-04T05:06:07.000Z');

test.each([
  ['30', 30_000],
  ['0.25', 250],
  [String(NOW / 1_000 + 9), 9_000],
  [String(NOW + 1_234), 1_234],
  ['Wed, 04 Mar 2026 05:06:17 GMT', 10_000],
  [String(NOW / 1_000 - 9), 0],
  [String(NOW + 86_400_000), 3_600_000],
  ['soon', undefined],
  ['', undefined],
  [undefined, undefined],
])('%j is in %j ms', (header, ms) => {
  expect(untilMs(header, NOW)).toBe(ms);
});

const answer = (headers: { [name: string]: string | string[] }, status = 200) => ({ status, headers });

test.each([
  [{ 'ratelimit-remaining': '3', 'ratelimit-reset': '7' }, {}, { calls: 3, resetMs: 7_000 }],
  [
    { 'x-ratelimit-remaining': ['0', '1'], 'x-ratelimit-reset': String(NOW / 1_000 + 2) },
    {},
    { calls: 0, resetMs: 2_000 },
  ],
  [
    { 'x-left': '5', 'x-interval': '10000' },
    { remaining: 'x-left', resetMs: 'x-interval' },
    { calls: 5, resetMs: 10_000 },
  ],
  // One that is named is the only one that counts.
  [{ 'ratelimit-remaining': '0', 'ratelimit-reset': '7' }, { remaining: 'x-left' }, undefined],
  [{ 'ratelimit-remaining': '0' }, {}, undefined],
  [{ 'ratelimit-remaining': 'none', 'ratelimit-reset': '7' }, {}, undefined],
  [{ 'ratelimit-remaining': '-1', 'ratelimit-reset': '7' }, {}, undefined],
] as const)('%j leaves %j', (headers, names, left) => {
  expect(callsLeft(answer(headers as never), names, NOW)).toEqual(left);
});

test('how long to wait: Retry-After first, then the vendor’s own, then the reset, and that only of a 429', () => {
  const names = { retryAfter: 'x-wait', reset: 'x-reset' };
  const all = { 'retry-after': '1', 'x-wait': '2', 'x-reset': '3' };
  expect(askedMs(answer(all, 429), names, NOW)).toBe(1_000);
  expect(askedMs(answer({ 'x-wait': '2', 'x-reset': '3' }, 429), names, NOW)).toBe(2_000);
  expect(askedMs(answer({ 'x-reset': '3' }, 429), names, NOW)).toBe(3_000);
  expect(askedMs(answer({ 'x-reset': '3' }, 503), names, NOW)).toBeUndefined();
  expect(askedMs(answer({ 'retry-after': '4' }, 503), names, NOW)).toBe(4_000);
  expect(askedMs(answer({}, 429), names, NOW)).toBeUndefined();
});
