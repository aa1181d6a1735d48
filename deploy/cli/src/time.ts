import { InvalidArgumentError } from 'commander';

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `2026-01-31`, `2026-01-31T08:00Z` or how long ago: `90m`, `36h`, `7d`. Epoch milliseconds. For an option's value. */
export function parseTime(text: string, now: number = Date.now()): number {
  const [, count, unit] = /^(\d+)([smhd])$/.exec(text) ?? [];
  if (count !== undefined) return now - Number(count) * UNITS[unit as keyof typeof UNITS];
  const time = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw new InvalidArgumentError('a time is needed: 2026-01-31, 2026-01-31T08:00:00Z, or how long ago: 36h');
}
