import type { Suppression } from '@email-events/schemas';
import { Command, Option } from 'commander';
import pc from 'picocolors';
import { requireCount, usage } from '../changes.ts';
import { type Action, examples, loadPipelineConfig, onRun } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { collect, fromZero } from '../option-values.ts';
import { counted, formatCount, note, print, printJson, printLines, progress } from '../output.ts';
import { CSV_HEADER, csvOf, exportStates } from '../suppressions/export.ts';
import { type ImportPlan, ListImport } from '../suppressions/import.ts';
import { type Columns, ESP_LISTS, type ListName } from '../suppressions/lists.ts';
import { REASONS } from '../suppressions/orders.ts';
import { suppressionsOf } from '../suppressions/topic.ts';
import { jsonText, visible } from '../terminal.ts';
import { type OrderedOptions, ordered, orderOf } from './suppressions-change.ts';
import { reasonJson, renderOrdered } from './suppressions-render.ts';

export interface ExportActionOptions {
  readonly format: 'csv' | 'ndjson';
  readonly reason?: string;
  readonly scope?: string;
  readonly all: boolean;
}

export function exportCommand(): Command {
  const command = new Command('export')
    .description('Write out the state of all recipients who must not get mail')
    .addOption(
      new Option('--format <format>', 'csv has a line for each reason')
        .choices(['csv', 'ndjson'])
        .default('csv'),
    )
    .addOption(new Option('--reason <reason>', 'only who has this reason').choices([...REASONS]))
    .option('--scope <scope>', 'only who has a reason of this scope')
    .option('--all', 'also who has no reason any more; ndjson only', false);
  onRun<ExportActionOptions>(command, exportAction);
  return examples(
    command,
    'suppressions export > suppressed.csv',
    'suppressions export --format ndjson --reason complaint > complaints.ndjson',
  );
}

export const exportAction: Action<ExportActionOptions> = async (options) => {
  const { format, reason, scope, all } = options;
  if (all && format === 'csv') throw usage('--all goes with --format ndjson');
  const from = suppressionsOf(await loadPipelineConfig(options));
  const isMeant = (active: Suppression['reasons'][number]) =>
    (reason === undefined || active.reason === reason) && (scope === undefined || active.scope === scope);
  if (format === 'csv') await printLines(`${CSV_HEADER}\n`);
  const result = await exportStates(from, {
    wanted: ({ reasons }) => all || reasons.some(isMeant),
    write: (state) => printLines(format === 'csv' ? csvOf(state) : `${jsonText(stateJson(state))}\n`),
    progress,
  });
  note(pc.dim(`${counted(result.recipients, 'recipient')} written out`));
  if (result.unreadable === 0) return EXIT.ok;
  note(
    pc.red(
      `${counted(result.unreadable, 'state')} cannot be read and ${result.unreadable === 1 ? 'is' : 'are'} missing`,
    ),
  );
  return EXIT.failed;
};

const stateJson = ({ recipient, suppressed, reasons, changed_at, revision }: Suppression) => ({
  ...{ recipient, suppressed, reasons: reasons.map(reasonJson) },
  ...{ changedAt: new Date(changed_at).toISOString(), revision },
});

export interface ImportActionOptions extends OrderedOptions {
  readonly from?: ListName;
  readonly column?: readonly string[];
  readonly scope?: string;
  readonly yesChange?: number;
}

export function importCommand(): Command {
  const command = new Command('import')
    .description('Suppress the recipients of a CSV file, such as an ESP’s suppression list')
    .argument('<list>', 'the CSV file, with a header')
    .addOption(new Option('--from <list>', 'whose list it is').choices(Object.keys(ESP_LISTS)))
    .option('--column <what=name>', 'email=NAME, reason=NAME or date=NAME: a column of the file', collect)
    .option(
      '--scope <scope>',
      'all, or the name of a stream; without, all, and who left some mail only is not taken',
    )
    .option('--yes-change <n>', 'do it, for just so many as it was said', fromZero);
  ordered(command);
  onRun<ImportActionOptions>(command, importAction);
  command.addHelpText(
    'after',
    '\nWithout --yes-change it says what would happen. A recipient who is suppressed already is left alone, so the same file may be\nimported again. Who, when and why is kept with each recipient, as with `suppressions add`, with what the file says of it.',
  );
  return examples(
    command,
    'suppressions import bounces.csv --from mailgun --why "moved from Mailgun"',
    'suppressions import bounces.csv --from mailgun --why "moved from Mailgun" --yes-change 1234',
    'suppressions import left.csv --column email=Address --scope newsletter --why "old list"',
  );
}

export const importAction: Action<ImportActionOptions> = async (options, [file = '']) => {
  const { from: list, column = [], scope, yesChange, json, wait } = options;
  const from = suppressionsOf(await loadPipelineConfig(options));
  const abort = new AbortController();
  process.once('SIGINT', () => abort.abort()).once('SIGTERM', () => abort.abort());
  const tell = (text: string) => {
    if (!json) progress(text);
  };
  const importing = new ListImport(from, { file, list, columns: columnsOf(column), scope }, tell);
  const plan = await importing.plan();
  if (yesChange === undefined) {
    if (json) printJson({ dryRun: true, ...plan });
    else print(renderPlan(plan));
    return EXIT.ok;
  }
  requireCount(plan.change, yesChange, 'recipient');
  const waitMs = wait === false ? 0 : Number(wait) * 1_000;
  const result = await importing.run(orderOf(options), { waitMs, signal: abort.signal });
  const pending = result.ordered - result.changed - result.unchanged;
  if (json) printJson({ dryRun: false, ...plan, ...result, pending });
  else {
    if (plan.bad > 0) note(pc.yellow(badText(plan)));
    print(renderOrdered(result, plan.change, { waited: waitMs > 0, already: 0 }));
  }
  if (abort.signal.aborted) return EXIT.interrupted;
  return waitMs > 0 && pending > 0 ? EXIT.failed : EXIT.ok;
};

const COLUMNS: readonly string[] = ['email', 'reason', 'date'] satisfies (keyof Columns)[];

function columnsOf(options: readonly string[]): Partial<Columns> {
  const pairs = options.map((option) => {
    const [, what = '', name = ''] = /^(\w+)=(.+)$/s.exec(option) ?? [];
    if (!COLUMNS.includes(what))
      throw usage(`--column ${option}: email=NAME, reason=NAME or date=NAME is needed`);
    return [what, name] as const;
  });
  return Object.fromEntries(pairs);
}

function renderPlan(plan: ImportPlan): string {
  const { lines, recipients, repeated, already, erased, change, bad } = plan;
  return [
    `${counted(lines, 'line')}: ${counted(recipients, 'recipient')}, ${formatCount(repeated)} named again, ${formatCount(bad)} not understood`,
    `${counted(already, 'recipient')} suppressed already, ${formatCount(change)} would be`,
    ...(erased > 0
      ? [`${formatCount(erased)} of these erased, and not to be mailed by the hash that is kept`]
      : []),
    ...(bad > 0 ? [pc.yellow(badText(plan))] : []),
    pc.dim(`→ do it: the same with --yes-change ${change}`),
  ].join('\n');
}

function badText({ bad, badLines }: ImportPlan): string {
  const shown = badLines.map(({ line, problem }) => `  line ${line}: ${visible(problem)}`);
  return [...shown, ...(bad > shown.length ? [`  and ${formatCount(bad - shown.length)} more`] : [])].join(
    '\n',
  );
}
