import type { SinkRecord } from '@email-events/core';
import type { EmailEvent } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { asLines, CURRENT_CUT, CUTS, cutOf, encodeBatch, rowsOf } from './encode.ts';
import type { ClickHouseValue } from './rows.ts';
import { EXAMPLE } from './sink.ts';

test('events are cut by the UTC month they occurred in, other rows not', () => {
  const cut = cutOf('month-1');
  const at = (text: string) => cut?.(Date.parse(text));
  expect(at('2026-02-28T23:59:59.999Z')).toBe('202602');
  expect(at('2026-03-01T00:00:00.000Z')).toBe('202603');
  expect(at('1969-12-31T23:59:59.999Z')).toBe('196912');
  expect(cut?.(undefined)).toBeUndefined();
});

test('times that no table can hold are together', () => {
  const cut = cutOf('month-1');
  const times = [-8.64e15, -9e15, Date.UTC(1899, 11, 31), Date.UTC(2300, 0, 1), 8.64e15, 9e15];
  expect(times.map((time) => cut?.(time))).toEqual(['before', 'before', 'before', 'after', 'after', 'after']);
});

test('what was announced before there were pieces is not cut, and an unknown way is not guessed', () => {
  expect(cutOf(undefined)).toBeUndefined();
  expect(() => cutOf('week-1')).toThrow(
    expect.objectContaining({ code: 'SINK_CUT_UNKNOWN', disposition: 'fatal' }),
  );
  expect(() => cutOf('toString')).toThrow('toString');
});

test('names fit into an announcement, and none is ever taken away', () => {
  expect(Object.keys(CUTS)).toEqual(['month-1']);
  expect(CURRENT_CUT).toMatch(/^[a-z0-9-]{1,20}$/);
});

const eventAt = (time: string): SinkRecord<ClickHouseValue> => ({
  ...EXAMPLE,
  value: { ...(EXAMPLE.value as EmailEvent), occurred_at: Date.parse(time) },
});

test('a value that no binary row can hold is left to the server: then the rows are to be lines', async () => {
  const odd = eventAt('2026-03-01');
  const records = [
    eventAt('2026-03-01'),
    { ...odd, value: { ...odd.value, raw_offset: 'no number' } as never },
  ];
  const [rows, none] = (await encodeBatch(records, cutOf(CURRENT_CUT))).inserts;
  expect(none).toBeUndefined();
  if (!rows) throw new Error('there are no rows');
  expect([rows.format, rows.complete, rows.indexes]).toEqual(['binary', false, [0, 1]]);
  const lines = await asLines(rows, records);
  expect([lines.format, lines.complete, lines.indexes]).toEqual(['json', true, [0, 1]]);
  expect(rowsOf(lines).map((line) => line.includes('"no number"'))).toEqual([false, true]);
});

test('the newest month is the first insert, whichever came first, and rows know their place in the batch', async () => {
  const records = ['2026-02-01', '2025-12-31', '2026-03-01', '2026-02-03'].map(eventAt);
  const { inserts } = await encodeBatch(records, cutOf(CURRENT_CUT));
  expect(inserts.map(({ key, indexes }) => [key, indexes])).toEqual([
    ['email_events/202603', [2]],
    ['email_events/202602', [0, 3]],
    ['email_events/202512', [1]],
  ]);
});
