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

/** The value of an option that is a time, as parseTime reads it. */
export const time = (text: string): number => parseTime(text);

/** An option that may be repeated. */
export const collect = (value: string, values: readonly string[] = []): string[] => [...values, value];

/** An option that may be repeated, and that takes several values with commas between them. */
export const collectNames = (value: string, values: readonly string[] = []): string[] => [
  ...values,
  ...value.split(','),
];

export function positive(text: string): number {
  const number = Number(text);
  if (!(number > 0)) throw new InvalidArgumentError('a number above 0 is needed');
  return number;
}

export function whole(text: string): number {
  const number = positive(text);
  if (!Number.isSafeInteger(number)) throw new InvalidArgumentError('a whole number is needed');
  return number;
}

/** How many are shown or taken at most. */
export function fromOne(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError('a number from 1 is needed');
  return number;
}

export function fromZero(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('a number from 0 is needed');
  return Number(text);
}

export function seconds(text: string): number {
  const number = Number(text);
  if (!(number > 0 && number <= 86_400)) throw new InvalidArgumentError('seconds are needed: 60');
  return number;
}

/** Both texts are kept with every recipient or mark, and shown on one line. */
const MAX_WHY = 500;
const MAX_NAME = 100;

export const reasonText = (text: string): string => bounded(text, MAX_WHY);
export const nameText = (text: string): string => bounded(text, MAX_NAME);

function bounded(text: string, max: number): string {
  const trimmed = text.trim();
  if (trimmed !== '' && trimmed.length <= max) return trimmed;
  throw new InvalidArgumentError(`a text of 1 to ${max} characters is needed`);
}
