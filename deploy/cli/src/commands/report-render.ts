import type { ReportTable, Unit } from '../analytics/reports.ts';
import { duration } from '../analytics/story-words.ts';
import { csvRow } from '../csv.ts';
import { formatTime, renderTable } from '../output.ts';
import { visible } from '../terminal.ts';

export const jsonOf = ({ columns, rows }: ReportTable) =>
  rows.map((row) => Object.fromEntries(columns.map(({ name }, index) => [name, row[index]])));

export const csvOf = ({ columns, rows }: ReportTable): string =>
  [columns.map(({ name }) => name), ...rows].map((row) => `${csvRow(row)}\n`).join('');

export function renderReport({ columns, rows }: ReportTable): Promise<string> {
  const largest = columns.map((_, index) => Math.max(0, ...rows.map((row) => Number(row[index]) || 0)));
  return renderTable(
    columns.map(({ name }) => name.replaceAll('_', ' ')),
    rows.map((row) =>
      row.map((cell, index) => shown(cell, columns[index]?.unit ?? 'text', largest[index] ?? 0)),
    ),
  );
}

function shown(cell: string | number | null, unit: Unit, largest: number): string | number {
  if (cell === null) return '–';
  switch (unit) {
    case 'count':
      return Number(cell);
    case 'rate':
      return `${(Number(cell) * 100).toFixed(1)} %`;
    case 'seconds':
      return duration(Number(cell) * 1_000) || '0 s';
    case 'time':
      return formatTime(String(cell));
    case 'bar':
      return `${bar(Number(cell), largest)} ${cell}`;
    case 'text':
      return visible(String(cell)).slice(0, LONGEST);
  }
}

const LONGEST = 60;
const EIGHTHS = '▏▎▍▌▋▊▉█';
const WIDTH = 12;

/** As long as the number is among the largest of its column. */
export function bar(value: number, largest: number): string {
  if (largest <= 0) return ''.padEnd(WIDTH);
  const eighths = Math.round((value / largest) * WIDTH * 8);
  const rest = eighths % 8;
  return `${'█'.repeat(Math.floor(eighths / 8))}${rest === 0 ? '' : EIGHTHS[rest - 1]}`.padEnd(WIDTH);
}
