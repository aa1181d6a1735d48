import { TransactionalWriter } from '@email-events/core';
import { type ClickHouse, connect } from '@email-events/sink-clickhouse';
import { Command } from 'commander';
import pc from 'picocolors';
import { requireCount, usage } from '../changes.ts';
import { type Action, type CommonOptions, examples, loadPipelineConfig, onRun } from '../command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import {
  type MarkGroup,
  type MarkOptions,
  type MarkPlan,
  type Marks,
  markForged,
  markGenuine,
  planForged,
  planGenuine,
  readMarkGroups,
} from '../marks.ts';
import { fromZero, nameText, reasonText, time } from '../option-values.ts';
import { counted, formatTime, print, printJson, progress, renderTable } from '../output.ts';
import { requireSinkInStep } from '../suppressions/evidence.ts';
import type { SaidBySource } from '../suppressions/orders.ts';
import { suppressionsOf } from '../suppressions/topic.ts';
import { visible } from '../terminal.ts';
import { orderOf, rangeOf } from './suppressions-change.ts';

export function marksCommand(): Command {
  const command = new Command('marks').description(
    'Events that do not count in reports, because an operator says so',
  );
  command.addCommand(addCommand());
  command.addCommand(removeCommand());
  command.addCommand(listCommand());
  return command;
}

function addCommand(): Command {
  const command = ofSource(
    new Command('add').description('Mark what a webhook reported in a time as forged: no report counts it'),
  );
  onRun<MarkActionOptions>(command, markAction);
  command.addHelpText(
    'after',
    '\nNothing is deleted, and nothing is done until --yes-change says the number that was shown. Suppressions are another\nmatter: `suppressions lift --source` takes back what the same events caused.',
  );
  return examples(
    command,
    'marks add --source main --from 2026-01-31T08:00Z --to 2026-01-31T09:00Z --why "secret leaked"',
    'marks add --source main --from 2026-01-31T08:00Z --to 2026-01-31T09:00Z --why "secret leaked" --yes-change 5678',
  );
}

function removeCommand(): Command {
  const command = ofSource(
    new Command('remove').description('Let events count again that were marked as forged'),
  );
  return onRun<MarkActionOptions>(
    command,
    unmarkAction,
    'marks remove --source main --from 2026-01-31T08:00Z --to 2026-01-31T09:00Z --why "it was us"',
  );
}

function listCommand(): Command {
  const command = new Command('list').description(
    'Show marks by source, who made them and why, the newest last',
  );
  return onRun<object>(command, listAction, 'marks list', 'marks list --json');
}

function ofSource(command: Command): Command {
  return command
    .requiredOption('--source <name>', 'the webhook that reported them')
    .requiredOption('--from <time>', 'received then or later: 2026-01-31T08:00Z, or how long ago: 36h', time)
    .requiredOption('--to <time>', 'received before then', time)
    .requiredOption('--why <text>', 'why; kept with each mark', reasonText)
    .option('--by <name>', 'who says so (default: the user of the system)', nameText)
    .option('--dry-run', 'say what would be marked, change nothing: the default without --yes-change', false)
    .option('--yes-change <n>', 'do it, for just so many events as it was said', fromZero);
}

export interface MarkActionOptions {
  readonly source: string;
  readonly from: number;
  readonly to: number;
  readonly why: string;
  readonly by?: string;
  readonly dryRun: boolean;
  readonly yesChange?: number;
}

/** How events come to count, or not. */
interface Way {
  readonly plan: (from: Marks, clickhouse: ClickHouse, said: SaidBySource) => Promise<MarkPlan>;
  readonly mark: (options: MarkOptions) => Promise<number>;
  readonly done: string;
}

const FORGED: Way = {
  plan: async (from, clickhouse, said) => {
    await requireSinkInStep(from.config, Date.now());
    return planForged(from, clickhouse, said);
  },
  mark: markForged,
  done: 'marked as forged',
};

const GENUINE: Way = {
  plan: (from, _, said) => planGenuine(from, said),
  mark: markGenuine,
  done: 'unmarked',
};

export const markAction: Action<MarkActionOptions> = (options) => run(options, FORGED);
export const unmarkAction: Action<MarkActionOptions> = (options) => run(options, GENUINE);

async function run(options: MarkActionOptions & CommonOptions, way: Way): Promise<ExitCode> {
  const { yesChange, json } = options;
  if (options.dryRun && yesChange !== undefined) throw usage('either --dry-run or --yes-change');
  const said = rangeOf(options.source, options.from, options.to);
  const from = suppressionsOf(await loadPipelineConfig(options));
  const clickhouse = connect(from.config.sinks.clickhouse);
  // Opened before the marks are read: of another run that was at it, nothing follows.
  const writer =
    yesChange === undefined ? undefined : await TransactionalWriter.open(from.config.kafka, 'marks');
  try {
    const plan = await way.plan(from, clickhouse, said);
    if (!writer || yesChange === undefined) {
      await report(options, plan, way, undefined);
      return EXIT.ok;
    }
    requireCount(plan.ids.size, yesChange, 'event');
    const abort = new AbortController();
    process.once('SIGINT', () => abort.abort()).once('SIGTERM', () => abort.abort());
    const changed = await way.mark({
      ...{ from, clickhouse, writer, said, plan, signal: abort.signal },
      order: orderOf(options),
      onProgress: (marked) => {
        if (!json) progress(`${counted(marked, 'event')} ${way.done}`);
      },
    });
    await report(options, plan, way, changed);
    if (abort.signal.aborted) return EXIT.interrupted;
    return changed === plan.ids.size ? EXIT.ok : EXIT.failed;
  } finally {
    await Promise.all([clickhouse.close(), writer?.close()]);
  }
}

async function report(
  { json }: CommonOptions,
  { ids, byType, already }: MarkPlan,
  { done }: Way,
  changed: number | undefined,
): Promise<void> {
  if (json) {
    const dryRun = changed === undefined;
    printJson({ dryRun, events: ids.size, changed: changed ?? 0, byType, already });
    return;
  }
  const rows = Object.entries(byType).map(([type, count]): [string, number] => [type, count]);
  if (rows.length > 0) print(`${await renderTable(['type', 'events'], rows)}\n`);
  if (already > 0) print(`${counted(already, 'event')} more ${already === 1 ? 'is' : 'are'} so already`);
  const all = counted(ids.size, 'event');
  if (changed !== undefined)
    print(pc.green(`${counted(changed, 'event')} ${done}; ClickHouse has it in a moment`));
  else if (ids.size === 0) print(`no event would be ${done}`);
  else print(`${all} would be ${done}; nothing was changed. --yes-change ${ids.size} does it`);
}

export const listAction: Action<object> = async (options) => {
  const groups = await readMarkGroups(suppressionsOf(await loadPipelineConfig(options)));
  if (options.json) printJson(groups.map(groupJson));
  else print(await renderGroups(groups));
  return EXIT.ok;
};

const iso = (time: number) => new Date(time).toISOString();

const groupJson = ({ firstAt, lastAt, ...group }: MarkGroup) => ({
  ...group,
  ...{ firstAt: iso(firstAt), lastAt: iso(lastAt) },
});

export function renderGroups(groups: readonly MarkGroup[]): Promise<string> | string {
  if (groups.length === 0) return pc.green('no event was ever marked');
  return renderTable(
    ['at', 'source', 'mark', 'by', 'why', 'marks', 'in force'],
    groups.map(({ firstAt, source, mark, by, why, marks, inForce }) => [
      formatTime(firstAt),
      ...[source, mark, by, why].map((text) => visible(text)),
      marks,
      mark === 'none' ? '' : inForce,
    ]),
  );
}
