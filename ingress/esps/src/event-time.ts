import type { EmailEvent } from '@email-events/schemas';
import type { EspEvent } from './adapter.ts';

/** How far from the time of receipt a time may be to be believed. */
export interface TimeBounds {
  readonly maxFutureMinutes: number;
  readonly maxAgeDays: number;
}

/** Clocks of servers differ by minutes at most; no ESP repeats or replays what is older than a year. */
export const DEFAULT_TIME_BOUNDS: TimeBounds = { maxFutureMinutes: 10, maxAgeDays: 400 };

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

type EventTime = Pick<EmailEvent, 'occurred_at' | 'occurred_at_source' | 'occurred_at_said'>;

/**
 * When an event happened, as far as it is believed. A clock that is wrong must neither outlast every later event of a
 * recipient nor open a partition of its own in the tables; and an event whose time nobody can read is still an event.
 * `told` as in EspEvent, `receivedAt` in epoch milliseconds. Pure: a replay gives the same.
 */
export function eventTime(told: EspEvent['occurred_at'], receivedAt: number, bounds: TimeBounds): EventTime {
  if (typeof told !== 'number')
    return { occurred_at: receivedAt, occurred_at_source: 'received', occurred_at_said: told.said };
  const earliest = receivedAt - bounds.maxAgeDays * DAY_MS;
  const latest = receivedAt + bounds.maxFutureMinutes * MINUTE_MS;
  if (told >= earliest && told <= latest)
    return { occurred_at: told, occurred_at_source: 'esp', occurred_at_said: null };
  return {
    // The latest that can be true is the receipt itself: what has not happened cannot be reported.
    occurred_at: told > latest ? receivedAt : earliest,
    occurred_at_source: 'bounded',
    occurred_at_said: new Date(told).toISOString(),
  };
}
