import type { UnreadTime } from '../adapter.ts';
import { text } from './fields.ts';
import { stringifyJson } from './json.ts';

/** Epoch milliseconds, or what the ESP said instead: a time that cannot be read costs the time, never the event. */
export type ToldTime = number | UnreadTime;

/** Characters. */
const SAID_LENGTH = 100;

// Seconds of the year 5138 are milliseconds of 1973: no vendor means either.
const MILLISECONDS_FROM = 1e11;
const END_OF_TIME = Date.UTC(2100, 0, 1);

/** Epoch seconds (fractions allowed) or milliseconds, as a number or its text. */
export function epochTime(value: unknown): ToldTime {
  const number = typeof value === 'string' && DECIMAL.test(value.trim()) ? Number(value) : value;
  if (typeof number !== 'number') return unread(value);
  if (number >= MILLISECONDS_FROM) return plausible(Math.floor(number), value);
  // By way of microseconds: 1521472262.908 * 1000 is a little less than 1521472262908.
  return plausible(Math.floor(Math.round(number * 1e6) / 1000), value);
}
const DECIMAL = /^\d+(\.\d+)?$/;

// Date.parse alone would read a time without a zone as local time, so the host's zone would decide.
const ISO = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?$/i;

/** ISO 8601 or RFC 5322 text, any number of fractional digits; without a zone it is UTC. */
export function isoTime(value: unknown): ToldTime {
  if (typeof value !== 'string') return unread(value);
  const trimmed = value.trim();
  const match = ISO.exec(trimmed);
  if (!match) return plausible(RFC_5322.test(trimmed) ? Date.parse(trimmed) : Number.NaN, value);
  const [, date, time = '00:00:00', fraction = '', zone = 'Z'] = match;
  const milliseconds = fraction.padEnd(3, '0').slice(0, 3);
  const seconds = time.length === 5 ? `${time}:00` : time;
  return plausible(Date.parse(`${date}T${seconds}.${milliseconds}${isoZone(zone)}`), value);
}
const RFC_5322 = /^(?:[A-Za-z]{3},\s*)?\d{1,2} [A-Za-z]{3} \d{4} \d\d:\d\d(?::\d\d)? (?:[+-]\d{4}|GMT|UTC)$/;

/** ISO 8601 text or epoch seconds or milliseconds. */
export function anyTime(value: unknown): ToldTime {
  return typeof value === 'number' || (typeof value === 'string' && DECIMAL.test(value.trim()))
    ? epochTime(value)
    : isoTime(value);
}

/** The first of them that can be read. Only of fields that tell of the same moment: when a message was sent is not when it was opened. */
export function firstTime(...values: readonly unknown[]): ToldTime {
  let said: string | null = null;
  for (const value of values) {
    const told = anyTime(value);
    if (typeof told === 'number') return told;
    said ??= told.said;
  }
  return { said };
}

function isoZone(zone: string): string {
  if (zone.toUpperCase() === 'Z') return 'Z';
  const minutes = zone.slice(3).replace(':', '') || '00';
  return `${zone.slice(0, 3)}:${minutes}`;
}

/** Zero is what serializers write for no time at all; neither it nor the year 9999 is anybody's clock. */
function plausible(milliseconds: number, value: unknown): ToldTime {
  return milliseconds > 0 && milliseconds < END_OF_TIME ? milliseconds : unread(value);
}

function unread(value: unknown): UnreadTime {
  return { said: saidOf(value)?.slice(0, SAID_LENGTH).toWellFormed() ?? null };
}

function saidOf(value: unknown): string | null {
  if (typeof value !== 'object' || value === null) return text(value);
  try {
    return stringifyJson(value);
  } catch {
    // Nested more deeply than it can be written.
    return null;
  }
}
