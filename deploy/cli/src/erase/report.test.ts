import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { type ErasureReport, erasureJson, erasureText } from './report.ts';

const report: ErasureReport = {
  ...{ dryRun: false, recipients: ['ada@example.com', 'ann@example.com'], crms: [], plans: [] },
  rows: new Map([
    ['events', 3],
    ['letters', 0],
  ]),
  remains: [{ topic: 'email.raw', until: Date.UTC(2026, 0, 31), why: 'the requests' }],
};
const shown = async (but: Partial<ErasureReport>) =>
  stripVTControlCharacters(await erasureText({ ...report, ...but })).split('\n');

test('rows that are not all gone are not reported as none', async () => {
  expect((await shown({ rows: null })).slice(0, 2)).toEqual([
    '2 recipients not forgotten yet',
    'their rows were not removed',
  ]);
  expect(erasureJson({ ...report, rows: null })).toMatchObject({ recipients: 2, rows: null });
});

test('rows are counted for each table that had some', async () => {
  expect((await shown({})).slice(0, 3)).toEqual(['2 recipients forgotten', '3 rows of events gone', '']);
  expect((await shown({ rows: new Map() })).slice(0, 2)).toEqual([
    '2 recipients forgotten',
    'no table names them',
  ]);
  expect(erasureJson(report)).toMatchObject({ dryRun: false, rows: { events: 3, letters: 0 } });
});

test('what was not done yet says how it is', async () => {
  const lines = await shown({ dryRun: true });
  expect(lines.slice(0, 2)).toEqual(['2 recipients would be forgotten', '3 rows of events would go']);
  expect(lines.at(-1)).toBe('nothing was done: add --yes-change 2');
});

test('none of it names a recipient', async () => {
  expect(`${await shown({})}${JSON.stringify(erasureJson(report))}`).not.toContain('@');
});
