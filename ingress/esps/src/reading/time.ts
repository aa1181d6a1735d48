import { Refusal } from '../adapter.ts';

// Seconds of the year 5138 are milliseconds of 1973: no vendor means either.
const MILLISECONDS_FROM = 1e11;
const END_OF_TIME = Date.UTC(2100, 0, 1);

/** Epoch seconds (fractions allowed) or milliseconds, as a number or its text, as epoch milliseconds. */
export function epochTime(value: unknown): number {
  const number = typeof value === 'string' && DECIMAL.test(value.trim()) ? Number(value) : value;
  if (typeof number !== 'number') throw invalidTime();
  if (number >= MILLISECONDS_FROM) return plausible(Math.floor(number));
  // By way of microseconds: 1521472262.908 * 1000 is a little less than 1521472262908.
  return plausible(Math.floor(Math.round(number * 1e6) / 1000));
}
const DECIMAL = /^\d+(\.\d+)?$/;

// Date.parse alone would read a time without a zone as local time, so the host's zone would decide.
const ISO = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?$/i;

/** ISO 8601 or RFC 5322 text as epoch milliseconds, any number of fractional digits; without a zone it is UTC. */
export function isoTime(value: unknown): number {
  if (typeof value !== 'string') throw invalidTime();
  const text = value.trim();
  const match = ISO.exec(text);
  if (!match) return plausible(RFC_5322.test(text) ? Date.parse(text) : Number.NaN);
  const [, date, time = '00:00:00', fraction = '', zone = 'Z'] = match;
  const milliseconds = fraction.padEnd(3, '0').slice(0, 3);
  const seconds = time.length === 5 ? `${time}:00` : time;
  return plausible(Date.parse(`${date}T${seconds}.${milliseconds}${isoZone(zone)}`));
}
const RFC_5322 = /^(?:[A-Za-z]{3},\s*)?\d{1,2} [A-Za-z]{3} \d{4} \d\d:\d\d(?::\d\d)? (?:[+-]\d{4}|GMT|UTC)$/;

/** ISO 8601 text or epoch seconds or milliseconds. */
export function anyTime(value: unknown): number {
  return typeof value === 'number' || (typeof value === 'string' && DECIMAL.test(value.trim()))
    ? epochTime(value)
    : isoTime(value);
}

/** Same, of the first value that is there at all. */
export function firstTime(...values: readonly unknown[]): number {
  return anyTime(values.find((value) => value !== undefined && value !== null && value !== ''));
}

function isoZone(zone: string): string {
  if (zone.toUpperCase() === 'Z') return 'Z';
  const minutes = zone.slice(3).replace(':', '') || '00';
  return `${zone.slice(0, 3)}:${minutes}`;
}

function plausible(milliseconds: number): number {
  if (!(milliseconds > 0 && milliseconds < END_OF_TIME)) throw invalidTime();
  return milliseconds;
}

function invalidTime(): Refusal {
  return new Refusal('NORMALIZE_TIME_INVALID', 'the time of the event is missing or cannot be read');
}
