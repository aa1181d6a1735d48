import { PipelineError } from '@email-events/core/errors';
import { type ClickHouse, connect } from '@email-events/sink-clickhouse';
import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import pc from 'picocolors';
import { parseSplit, readTests, type Split } from '../analytics/ab/read.ts';
import { renderTests, TEST_COLUMNS, testRows } from '../analytics/ab/words.ts';
import { REPORTS, type ReportFilter, readReport } from '../analytics/reports.ts';
import { type Action, loadPipelineConfig, onRun } from '../command.ts';
import { csvRow } from '../csv.ts';
import { EXIT } from '../exit-codes.ts';
import { fromOne, seconds, time } from '../option-values.ts';
import { note, print, printJson, printJsonLine, printLines } from '../output.ts';
import { csvOf, jsonOf, renderReport } from './report-render.ts';
import { watch } from './watch.ts';

const AB = 'ab';
const AB_TITLE = 'Which variant of a campaign is better, and whether that is sure yet';
const titles: { readonly [name: string]: string } = {
  ...Object.fromEntries(Object.entries(REPORTS).map(([name, { title }]) => [name, title])),
  [AB]: AB_TITLE,
};

export function reportCommand(): Command {
  const command = new Command('report')
    .description('Show a report out of ClickHouse')
    .addArgument(new Argument('<name>', 'which one').choices(Object.keys(titles)))
    .option('--since <time>', 'only what was then or later: 2026-01-31, or how long ago: 7d', time)
    .option('--esp <name>', 'only of this ESP')
    .option('--campaign <name>', 'only of this campaign')
    .option('--limit <n>', 'rows at most; of ab campaigns', fromOne, 50)
    .option(
      '--split <shares>',
      'ab: how recipients were meant to be divided, A=80,B=20; else equally',
      splitText,
    )
    .option('--csv', 'print CSV', false)
    .addOption(
      new Option('--watch [seconds]', 'show it again and again, until Ctrl-C')
        .preset('10')
        .argParser(seconds),
    );
  onRun<ReportOptions>(command, reportAction);
  command.addHelpText(
    'after',
    `\n${Object.entries(titles)
      .map(([name, title]) => `  ${name.padEnd(15)} ${title}`)
      .join('\n')}\n\nWhat each figure means: sinks/clickhouse/METRICS.md`,
  );
  command.addHelpText(
    'after',
    '\nExamples:\n  $ npx email-events report campaign --since 30d\n  $ npx email-events report ab --campaign autumn --watch\n  $ npx email-events report deliverability --esp ses --csv > deliverability.csv\n  $ npx email-events report bounces --campaign autumn --json',
  );
  return command;
}

const splitText = (text: string): Split => parseSplit(text, (message) => new InvalidArgumentError(message));

export interface ReportOptions {
  readonly since?: number;
  readonly esp?: string;
  readonly campaign?: string;
  readonly limit: number;
  readonly split?: Split;
  readonly csv: boolean;
  /** Seconds. */
  readonly watch?: number;
}

/** A report as it is shown in each way. */
interface Shown {
  readonly json: unknown;
  readonly csv: string;
  text(): Promise<string>;
  readonly note?: string;
}

export const reportAction: Action<ReportOptions> = async (options, [name = '']) => {
  const { sinks } = await loadPipelineConfig(options);
  const clickhouse = connect(sinks.clickhouse);
  const show = async () => {
    const shown = await (name === AB ? readAb(clickhouse, options) : readTable(clickhouse, name, options));
    if (options.json && options.watch !== undefined) printJsonLine(shown.json);
    else if (options.json) printJson(shown.json);
    else if (options.csv) await printLines(shown.csv);
    // All of it is made before the screen is cleared.
    else return [pc.bold(titles[name] ?? name), await shown.text(), shown.note ?? ''];
    return [];
  };
  try {
    if (options.watch === undefined) {
      const [title, text, more] = await show();
      if (title !== undefined) print(`${title}\n${text}`);
      if (more) note(more);
    } else await watch(options.watch * 1_000, async () => (await show()).filter(Boolean).join('\n'));
  } finally {
    await clickhouse.close();
  }
  return EXIT.ok;
};

async function readTable(clickhouse: ClickHouse, name: string, options: ReportOptions): Promise<Shown> {
  if (options.split) throw usage(`report ${name} does not take --split`);
  const { since, esp, campaign, limit } = options;
  const filter = { ...given({ since, esp, campaign }), limit };
  const table = await readReport(clickhouse, name, filter);
  return {
    json: jsonOf(table),
    csv: csvOf(table),
    text: async () => (table.rows.length === 0 ? 'nothing yet' : renderReport(table)),
    ...(table.rows.length === limit ? { note: 'there may be more: --limit shows it' } : {}),
  };
}

async function readAb(clickhouse: ClickHouse, options: ReportOptions): Promise<Shown> {
  const { since, esp, campaign, limit, split } = options;
  if (esp !== undefined) throw usage('report ab does not take --esp');
  const tests = await readTests(clickhouse, { ...given({ since, campaign }), limit }, split);
  return {
    json: tests,
    csv: [TEST_COLUMNS, ...testRows(tests)].map((row) => `${csvRow(row)}\n`).join(''),
    text: async () => (tests.length === 0 ? 'no campaign of several variants' : renderTests(tests)),
  };
}

const usage = (message: string) => new PipelineError('CLI_USAGE', 'reject', message);

const given = (filter: { [option in keyof ReportFilter]?: ReportFilter[option] | undefined }) =>
  Object.fromEntries(
    Object.entries(filter).filter(([, value]) => value !== undefined),
  ) as Partial<ReportFilter>;
