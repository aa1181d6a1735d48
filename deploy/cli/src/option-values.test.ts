import { expect, test } from 'vitest';
import { parseTime } from './option-values.ts';

const NOW = Date.UTC(2026, 0, 31, 12);

test.each([
  ['2026-01-31', Date.UTC(2026, 0, 31)],
  ['2026-01-31T08:00Z', Date.UTC(2026, 0, 31, 8)],
  ['36h', NOW - 36 * 3_600_000],
  ['7d', NOW - 7 * 86_400_000],
  ['90m', NOW - 90 * 60_000],
  ['10s', NOW - 10_000],
])('%s is a time', (text, expected) => {
  expect(parseTime(text, NOW)).toBe(expected);
});

test.each(['', 'yesterday', '7', '-7d', '1.5h', '2026', '2026-13-45', '31.01.2026'])(
  '"%s" is none',
  (text) => {
    expect(() => parseTime(text, NOW)).toThrow('a time is needed');
  },
);
