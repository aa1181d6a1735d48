import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { capacityTable } from './command.ts';
import { readMeasured } from './measured.ts';
import { capacityPage, optionOf } from './page.ts';
import { PARAMETERS, parametersOf } from './parameters.ts';

const PAGE = 'deploy/CAPACITY.md';
const page = capacityPage(readMeasured(), parametersOf());

test('the committed page is the one of the committed figures', () => {
  expect(readFileSync(new URL(`../../../${PAGE}`, import.meta.url), 'utf8')).toBe(page);
});

test('a table has a column a volume, and no cell is without a number', () => {
  const rows = page.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| --'));
  const [head = [], ...cells] = rows.slice(0, 23).map((line) => line.split(' | ').slice(1));
  expect(head.map((cell) => cell.replace(/ \|$/, ''))).toEqual(['1,000,000', '100,000,000', '1,000,000,000']);
  for (const cell of cells.flat()) expect(cell).toMatch(/\d/);
  expect(page).not.toContain('NaN');
});

test('each parameter is an option that the page tells of', () => {
  expect(optionOf('recipientsPerDailyEvent')).toBe('recipients-per-daily-event');
  for (const name of Object.keys(PARAMETERS)) expect(page).toContain(`| \`--${optionOf(name)}\` |`);
});

test('the commands of the page print such tables', () => {
  const commands = [...page.matchAll(/^npm run bench -- capacity (.+)$/gm)].map(([, args = '']) =>
    args.split(' '),
  );
  expect(commands).toHaveLength(2);
  const [usual = '', other = ''] = commands.map(capacityTable);
  // A peak of five times 5 M ÷ 86,400 s, and one of eight times.
  expect(usual).toContain('| events/s, average · peak | 58 · 289 |');
  expect(other).toContain('| events/s, average · peak | 58 · 463 | 231 · 1,852 |');
  const rawDisk = (table: string) =>
    /email\.raw` \| ([\d.]+) (\w+) \|/.exec(table.split('disk of Kafka')[1] ?? '');
  // 7 days instead of 30.
  expect(Number(rawDisk(other)?.[1]) / Number(rawDisk(usual)?.[1])).toBeCloseTo(7 / 30, 1);
  expect(() => capacityTable(['--events', '0'])).toThrow('--events');
  expect(() => capacityTable(['--peak', '8'])).toThrow('--peak');
});
