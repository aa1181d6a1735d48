import { expect, it } from 'vitest';
import { DEFAULT_TIME_BOUNDS, eventTime } from './event-time.ts';

const RECEIVED = Date.parse('2026-11-02T09:15:30.000Z');
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const timeOf = (told: Parameters<typeof eventTime>[0], bounds = DEFAULT_TIME_BOUNDS) => {
  const time = eventTime(told, RECEIVED, bounds);
  return [time.occurred_at, time.occurred_at_source, time.occurred_at_said];
};

it.each([0, -1, 10 * MINUTE, -400 * DAY])('believes a time that is %i ms from the receipt', (distance) => {
  expect(timeOf(RECEIVED + distance)).toEqual([RECEIVED + distance, 'esp', null]);
});

it('moves what has not happened yet to the receipt, and what is too old to the oldest that is believed', () => {
  expect(timeOf(RECEIVED + 10 * MINUTE + 1)).toEqual([RECEIVED, 'bounded', '2026-11-02T09:25:30.001Z']);
  expect(timeOf(Date.UTC(2099, 0, 1))).toEqual([RECEIVED, 'bounded', '2099-01-01T00:00:00.000Z']);
  const oldest = RECEIVED - 400 * DAY;
  expect(timeOf(oldest - 1)).toEqual([oldest, 'bounded', new Date(oldest - 1).toISOString()]);
  expect(timeOf(1)).toEqual([oldest, 'bounded', '1970-01-01T00:00:00.001Z']);
});

it('believes as much as it is told to', () => {
  const bounds = { maxFutureMinutes: 1, maxAgeDays: 2 };
  expect(timeOf(RECEIVED + MINUTE, bounds)[1]).toBe('esp');
  expect(timeOf(RECEIVED + MINUTE + 1, bounds)).toEqual([RECEIVED, 'bounded', '2026-11-02T09:16:30.001Z']);
  expect(timeOf(RECEIVED - 3 * DAY, bounds)[0]).toBe(RECEIVED - 2 * DAY);
});

it('takes the receipt where no time can be read, and keeps what was said', () => {
  expect(timeOf({ said: 'soon' })).toEqual([RECEIVED, 'received', 'soon']);
  expect(timeOf({ said: null })).toEqual([RECEIVED, 'received', null]);
});
