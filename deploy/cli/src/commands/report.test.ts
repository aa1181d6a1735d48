import { expect, test } from 'vitest';
import type { ReportTable } from '../analytics/reports.ts';
import { bar, csvOf, jsonOf, renderReport } from './report-render.ts';

const table: ReportTable = {
  columns: [
    { name: 'campaign', unit: 'text' },
    { name: 'sent', unit: 'count' },
    { name: 'open_rate', unit: 'rate' },
    { name: 'time_to_open_p50', unit: 'seconds' },
    { name: 'opens', unit: 'bar' },
  ],
  rows: [
    ['=cmd()\u001b[2J', 12_345, 0.1234, 4_000, 8],
    ['a,"b"', 0, null, null, 2],
  ],
};

test('a table is for reading: per cent, durations, bars, nothing that a terminal obeys', async () => {
  const text = await renderReport(table);
  for (const part of ['open rate', '12,345', '12.3 %', '1 h', '–', '████████████ 8', '=cmd()\\x1b[2J'])
    expect(text).toContain(part);
  expect(text).not.toContain('\u001b');
});

test('CSV has the numbers, and no formula', () => {
  expect(csvOf(table)).toBe(
    'campaign,sent,open_rate,time_to_open_p50,opens\n\'=cmd()\u001b[2J,12345,0.1234,4000,8\n"a,""b""",0,,,2\n',
  );
});

test('JSON has names', () => {
  expect(jsonOf(table)[1]).toEqual({
    campaign: 'a,"b"',
    sent: 0,
    open_rate: null,
    time_to_open_p50: null,
    opens: 2,
  });
});

test.each([
  [0, 0, ''],
  [0, 8, ''],
  [8, 8, '████████████'],
  [1, 96, '▏'],
  [4, 8, '██████'],
])('a bar of %i among %i', (value, largest, shown) => {
  expect(bar(value, largest).trimEnd()).toBe(shown);
});
