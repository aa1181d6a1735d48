import { connect } from '@email-events/sink-clickhouse';
import { Argument, Command } from 'commander';
import pc from 'picocolors';
import { REPORTS, type ReportTable, readReport, type Unit } from '../analytics/reports.ts';
import { duration } from '../analytics/story-words.ts';
import { type Action, loadPipelineConfig, onRun } from '../command.ts';
import { csvRow } from '../csv.ts';
import { EXIT } from '../exit-codes.ts';
import { fromOne, time } from '../option-values.ts';
import { formatTime, note, print, printJson, printLines, renderTable } from '../output.ts';
import { visible } from '../terminal.ts';

export function reportCommand(): Command {
  const command = new Command('report')
    .description('Show a report out of ClickHouse')
    .addArgument(new Argument('<name>', 'which one').choices(Object.keys(REPORTS)))
    .option('--since <time>', 'only what was then or later: 2026-01-31, or how long ago: 7d', time)
    .option('--esp <name>', 'only of this ESP')
    .option('--campaign <name>', 'only of this campaign')
    .option('--limit <n>', 'rows at most', fromOne, 50)
    .option('--csv', 'print CSV', false);
  onRun<ReportOptions>(command, reportAction);
  command.addHelpText(
    'after',
    `\n${Object.entries(REPORTS)
      .map(([name, { title }]) => `  ${name.padEnd(15)} ${title}`)
      .join('\n')}\n\nWhat each figure means: sinks/clickhouse/METRICS.md`,
  );
  command.addHelpText(
    'after',
    '\nExamples:\n  $ npx email-events report campaign --since 30d\n  $ npx email-events report deliverability --esp ses --csv > deliverability.csv\n  $ npx email-events report bounces --campaign autumn --json',
  );
  return command;
}

export interface ReportOptions {
  readonly since?: number;
  readonly esp?: string;
  readonly campaign?: string;
  readonly limit: number;
  readonly csv: boolean;
}

export const reportAction: Action<ReportOptions> = async (options, [name = '']) => {
  const { since, esp, campaign, limit } = options;
  const { sinks } = await loadPipelineConfig(options);
  const clickhouse = connect(sinks.clickhouse);
  try {
    const filter = {
      ...(since === undefined ? {} : { since }),
      ...(esp === undefined ? {} : { esp }),
      ...(campaign === undefined ? {} : { campaign }),
      limit,
    };
    const table = await readReport(clickhouse, name, filter);
    if (options.json) printJson(jsonOf(table));
    else if (options.csv) await printLines(csvOf(table));
    else {
      print(pc.bold(REPORTS[name]?.title ?? name));
      print(table.rows.length === 0 ? 'nothing yet' : await renderReport(table));
      if (table.rows.length === limit) note('there may be more: --limit shows it');
    }
  } finally {
    await clickhouse.close();
  }
  return EXIT.ok;
};

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
