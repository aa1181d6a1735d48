import { pseudonymsOf, type SinkRecord } from '@email-events/core';
import { Secret } from '@email-events/core/config';
import type { EmailEvent } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { asLines, CURRENT_CUT, CUTS, encodeBatch, rowsOf, wayName, wayOf } from './encode.ts';
import { Hiding } from './private/hide.ts';
import type { ClickHouseValue } from './rows.ts';
import { EXAMPLE } from './sink.ts';

test('events are cut by the UTC month they occurred in, other rows not', () => {
  const cut = wayOf('month-1', []).cut;
  const at = (text: string) => cut?.(Date.parse(text));
  expect(at('2026-02-28T23:59:59.999Z')).toBe('202602');
  expect(at('2026-03-01T00:00:00.000Z')).toBe('202603');
  expect(at('1969-12-31T23:59:59.999Z')).toBe('196912');
  expect(cut?.(undefined)).toBeUndefined();
});

test('times that no table can hold are together', () => {
  const cut = wayOf('month-1', []).cut;
  const times = [-8.64e15, -9e15, Date.UTC(1899, 11, 31), Date.UTC(2300, 0, 1), 8.64e15, 9e15];
  expect(times.map((time) => cut?.(time))).toEqual(['before', 'before', 'before', 'after', 'after', 'after']);
});

test('what was announced before there were pieces is not cut, and an unknown way is not guessed', () => {
  expect(wayOf(undefined, [])).toEqual({ cut: undefined, hiding: undefined });
  expect(() => wayOf('week-1', [])).toThrow(
    expect.objectContaining({ code: 'SINK_CUT_UNKNOWN', disposition: 'fatal' }),
  );
  expect(() => wayOf('toString', [])).toThrow('toString');
});

test('names fit into an announcement, and none is ever taken away', () => {
  expect(Object.keys(CUTS)).toEqual(['month-1']);
  expect(CURRENT_CUT).toMatch(/^[a-z0-9-]{1,20}$/);
});

test('a batch is finished with the key that it was begun with, or not at all', () => {
  const [now, before] = pseudonymsOf({
    erasure: { keys: ['n', 'b'].map((letter) => new Secret(letter.repeat(40))), graceDays: 30 },
  }).map((by) => new Hiding(by, new Set()));
  if (!now || !before) throw new Error('two keys');
  const both = [now, before];
  for (const hiding of both) {
    expect(wayName(hiding)).toMatch(/^month-1\+[0-9a-f]{8}$/);
    expect(wayOf(wayName(hiding), both)).toEqual({ cut: CUTS['month-1'], hiding });
  }
  expect(wayOf(wayName(undefined), both)).toEqual({ cut: CUTS['month-1'], hiding: undefined });
  expect(() => wayOf(wayName(before), [now])).toThrow(
    expect.objectContaining({ code: 'SINK_CUT_UNKNOWN', disposition: 'fatal' }),
  );
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
  const [rows, none] = (await encodeBatch(records, wayOf(CURRENT_CUT, []).cut)).inserts;
  expect(none).toBeUndefined();
  if (!rows) throw new Error('there are no rows');
  expect([rows.format, rows.complete, rows.indexes]).toEqual(['binary', false, [0, 1]]);
  const lines = await asLines(rows, records);
  expect([lines.format, lines.complete, lines.indexes]).toEqual(['json', true, [0, 1]]);
  expect(rowsOf(lines).map((line) => line.includes('"no number"'))).toEqual([false, true]);
});

test('the newest month is the first insert, whichever came first, and rows know their place in the batch', async () => {
  const records = ['2026-02-01', '2025-12-31', '2026-03-01', '2026-02-03'].map(eventAt);
  const { inserts } = await encodeBatch(records, wayOf(CURRENT_CUT, []).cut);
  expect(inserts.map(({ key, indexes }) => [key, indexes])).toEqual([
    ['email_events/202603', [2]],
    ['email_events/202602', [0, 3]],
    ['email_events/202512', [1]],
  ]);
});
