import { PipelineError, registryOf, TransactionalWriter } from '@email-events/core';
import { Codec } from '@email-events/schemas';
import { Command, Option } from 'commander';
import pc from 'picocolors';
import { type Action, type CommonOptions, examples, loadPipelineConfig, onRun } from '../command.ts';
import {
  type Change,
  type Changed,
  type ChangePlan,
  changeLetters,
  planChange,
  supersededRecords,
} from '../dead-letters/change.ts';
import {
  isMeant,
  isNarrow,
  Ledger,
  type LetterFilter,
  type LetterStatus,
  type LetterSummary,
  type Letters,
  matchesFilter,
  parseId,
  readLetters,
} from '../dead-letters/letters.ts';
import { readStory } from '../dead-letters/story.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { collectNames, fromOne, time } from '../option-values.ts';
import { counted, formatCount, note, print, printJson, progress } from '../output.ts';
import { type PipelineConfig, services } from '../services.ts';
import {
  jsonOf,
  type LetterGroup,
  renderGroups,
  renderLetters,
  renderPlan,
  renderStory,
  storyAsJson,
} from './dlq-render.ts';

const ID_HELP = 'as `dlq list` shows it; without /item: all letters of that record';

export function dlqCommand(): Command {
  const command = new Command('dlq').description('Dead letters: what a stage could not process');
  command.addCommand(listCommand());
  command.addCommand(showCommand());
  command.addCommand(replayCommand());
  command.addCommand(discardCommand());
  return command;
}

function listCommand(): Command {
  const command = new Command('list').description('Show dead letters, the newest last');
  selection(command, ['open', 'replayed', 'discarded', 'all'])
    .option('--group', 'count them by stage, code, ESP and status', false)
    .option('--max <n>', 'show the newest n', fromOne, 100);
  return onRun<ListOptions>(
    command,
    listAction,
    'dlq list',
    'dlq list --group --status all',
    'dlq list --code NORMALIZE_ITEM_INVALID --esp postmark --since 36h --json',
  );
}

function showCommand(): Command {
  const command = new Command('show')
    .description('Show everything that is known of a dead letter, payload included')
    .argument('<id>', ID_HELP);
  return onRun<object>(
    command,
    showAction,
    'dlq show email.raw/3/1042/17',
    'dlq show email.raw/3/1042 --json',
  );
}

function replayCommand(): Command {
  const command = new Command('replay')
    .description(
      'Put records back where they came from, for what failed of them only, and mark their letters',
    )
    .argument('[id...]', ID_HELP);
  changing(selection(command, ['open', 'discarded']));
  onRun<ChangeActionOptions>(command, replayAction);
  command.addHelpText('after', '\nWhat fails again is open again, with one more attempt.');
  return examples(
    command,
    'dlq replay --code NORMALIZE_ESP_UNKNOWN --dry-run',
    'dlq replay email.raw/3/1042/17',
    'dlq replay --all',
  );
}

function discardCommand(): Command {
  const command = new Command('discard')
    .description('Mark dead letters as of no use; they stay readable for as long as the topic keeps them')
    .argument('[id...]', ID_HELP)
    .requiredOption('--reason <text>', 'why; kept with the letter');
  changing(selection(command, ['open']));
  return onRun<ChangeActionOptions>(
    command,
    discardAction,
    'dlq discard --source staging --reason "test traffic" --dry-run',
    'dlq discard email.raw/3/1042/17 --reason "vendor sent garbage"',
  );
}

/** Those that read records, and so can give them up. */
const stages = services.filter(({ consumes }) => consumes !== undefined).map(({ name }) => name);

function selection(command: Command, statuses: readonly string[]): Command {
  command
    .option('--code <code>', 'only these codes: with commas, or repeated', collectNames)
    .option('--esp <name>', 'only of these ESPs', collectNames)
    .option('--stage <name>', `only of these stages: ${stages.join(', ')}`, collectNames)
    .option('--source <name>', 'only of these webhooks', collectNames)
    .option('--topic <name>', 'only of records of these topics', collectNames)
    .option('--since <time>', 'failed then or later: 2026-01-31T08:00Z, or how long ago: 36h', time)
    .option('--until <time>', 'failed before then', time);
  if (statuses.length > 1) {
    command.addOption(
      new Option('--status <status>', 'only in this state').choices(statuses).default(statuses[0]),
    );
  }
  return command;
}

function changing(command: Command): Command {
  return command
    .option('--all', 'all of them: needed where neither an id nor a filter is given', false)
    .option('--dry-run', 'say what would be done, change nothing', false);
}

export interface SelectionOptions {
  readonly code?: readonly string[];
  readonly esp?: readonly string[];
  readonly stage?: readonly string[];
  readonly source?: readonly string[];
  readonly topic?: readonly string[];
  readonly since?: number;
  readonly until?: number;
  readonly status?: LetterStatus | 'all';
}

export interface ListOptions extends SelectionOptions {
  readonly group: boolean;
  readonly max: number;
}

export interface ChangeActionOptions extends SelectionOptions {
  readonly all: boolean;
  readonly dryRun: boolean;
  readonly reason?: string;
}

export const listAction: Action<ListOptions> = async (options) => {
  const ledger = await readLedger(await open(options), options);
  const filter = filterOf(options, []);
  const letters = ledger.all.filter((letter) => matchesFilter(letter, filter)).sort(byLastAt);
  if (options.group) {
    if (options.json) printJson(groupsOf(letters));
    else print(await renderGroups(groupsOf(letters)));
    return EXIT.ok;
  }
  const shown = letters.slice(-options.max);
  if (options.json) printJson({ total: letters.length, letters: shown.map(jsonOf) });
  else {
    print(await renderLetters(shown));
    if (shown.length < letters.length)
      note(`the newest ${formatCount(shown.length)} of ${formatCount(letters.length)}; --max shows more`);
  }
  return EXIT.ok;
};

export const showAction: Action<object> = async (options, [text = '']) => {
  const id = parseId(text);
  const { config, letters } = await open(options);
  const story = await readStory(letters, config, id);
  if (story.length === 0) throw notFound([text]);
  if (options.json) printJson(story.map(storyAsJson));
  else print(await renderStory(story));
  return EXIT.ok;
};

export const replayAction: Action<ChangeActionOptions> = (options, ids) =>
  decide(options, ids, { status: 'replayed' });

export const discardAction: Action<ChangeActionOptions> = (options, ids) =>
  decide(options, ids, { status: 'discarded', note: options.reason ?? '' });

async function decide(
  options: ChangeActionOptions & CommonOptions,
  ids: readonly string[],
  wanted: Change,
): Promise<ExitCode> {
  const filter = filterOf(options, ids);
  if (!isNarrow(filter) && !options.all && !options.dryRun) {
    const message = 'name dead letters, filter them, or say --all; --dry-run shows what would be done';
    throw new PipelineError('CLI_USAGE', 'reject', message);
  }
  const opened = await open(options);
  if (options.dryRun) {
    const plan = await select(opened, options, filter, wanted);
    await report(options, wanted, plan, undefined);
    return plan.problems.length > 0 ? EXIT.failed : EXIT.ok;
  }
  const abort = new AbortController();
  process.once('SIGINT', () => abort.abort()).once('SIGTERM', () => abort.abort());
  // Opened before anything is read: another run that was at it is over, and what it did is seen.
  const writer = await TransactionalWriter.open(opened.config.kafka, 'dlq');
  try {
    const plan = await select(opened, options, filter, wanted);
    const changed = await changeLetters({
      from: opened.letters,
      deadLetterPartitions: opened.config.topics.deadLetterPartitions,
      writer,
      groups: plan.groups,
      change: wanted,
      clock: Date.now,
      signal: abort.signal,
      onProgress: ({ letters }) => {
        if (!options.json) progress(`${counted(letters, 'letter')} ${wanted.status}`);
      },
    });
    await report(options, wanted, plan, changed);
    if (abort.signal.aborted) return EXIT.interrupted;
    return plan.problems.length > 0 || changed.letters < lettersIn(plan) ? EXIT.failed : EXIT.ok;
  } finally {
    await writer.close();
  }
}

async function select(
  opened: Opened,
  options: CommonOptions,
  filter: LetterFilter,
  wanted: Change,
): Promise<ChangePlan> {
  const ledger = await readLedger(opened, options);
  const { all } = ledger;
  const unknown = filter.ids.filter((id) => !all.some((letter) => isMeant(id, letter)));
  if (unknown.length > 0) throw notFound(unknown.map(({ text }) => text));
  const letters = all.filter((letter) => matchesFilter(letter, filter));
  const outdated =
    wanted.status === 'replayed' ? await supersededRecords(opened.letters, letters) : undefined;
  const plan = planChange(ledger, letters, wanted, outdated);
  const settled = filter.ids.filter((id) => !letters.some((letter) => isMeant(id, letter)));
  const left = all
    .filter((letter) => settled.some((id) => isMeant(id, letter)))
    .map((letter) => ({ letter, problem: `it is ${letter.status}, or no filter lets it through` }));
  return { ...plan, problems: [...plan.problems, ...left] };
}

async function report(
  { json, dryRun }: ChangeActionOptions & CommonOptions,
  { status }: Change,
  plan: ChangePlan,
  changed: Changed | undefined,
): Promise<void> {
  const groups = groupsOf(plan.groups.flatMap(({ letters }) => letters));
  const problems = plan.problems.map(({ letter: { id, stage }, problem }) => ({ id, stage, problem }));
  const counts = changed ?? { records: plan.groups.length, letters: lettersIn(plan) };
  const superseded = plan.groups.filter((group) => group.superseded).length;
  const all = { dryRun, status, ...counts, superseded, groups, problems };
  if (json) printJson(all);
  else print(await renderPlan(all));
}

const lettersIn = ({ groups }: ChangePlan) => groups.reduce((sum, { letters }) => sum + letters.length, 0);

interface Opened {
  readonly config: PipelineConfig;
  readonly letters: Letters;
}

async function open(options: CommonOptions): Promise<Opened> {
  const config = await loadPipelineConfig(options);
  return { config, letters: { kafka: config.kafka, codec: new Codec(registryOf(config)) } };
}

async function readLedger({ letters }: Opened, { json }: CommonOptions): Promise<Ledger> {
  const ledger = new Ledger();
  const unreadable = await readLetters(letters, {
    onLetter: (letter, at) => ledger.add(letter, at),
    onProgress: json ? undefined : (records) => progress(`${counted(records, 'record')} read`),
  });
  if (unreadable > 0) {
    const are = unreadable === 1 ? 'is no dead letter' : 'are no dead letters';
    note(pc.yellow(`${counted(unreadable, 'record')} of the topic ${are}`));
  }
  return ledger;
}

function filterOf(options: SelectionOptions, ids: readonly string[]): LetterFilter {
  const { code: codes, esp: esps, stage: stages, source: sources, topic: topics, since, until } = options;
  const { status = 'open' } = options;
  return { ids: ids.map(parseId), status, codes, esps, stages, sources, topics, since, until };
}

const notFound = (ids: readonly string[]) =>
  new PipelineError('DLQ_NOT_FOUND', 'reject', `no such dead letter: ${ids.join(', ')}`);

const byLastAt = (a: LetterSummary, b: LetterSummary) => a.lastAt - b.lastAt || (a.id < b.id ? -1 : 1);

function groupsOf(letters: readonly LetterSummary[]): LetterGroup[] {
  const groups = new Map<string, LetterSummary[]>();
  for (const letter of letters) {
    const key = [letter.stage, letter.code, letter.esp, letter.status].join(' ');
    const group = groups.get(key);
    if (group) group.push(letter);
    else groups.set(key, [letter]);
  }
  return [...groups.values()]
    .flatMap(([first, ...rest]) => {
      if (!first) return [];
      let [firstAt, lastAt] = [first.firstAt, first.lastAt];
      for (const letter of rest) {
        firstAt = Math.min(firstAt, letter.firstAt);
        lastAt = Math.max(lastAt, letter.lastAt);
      }
      const { stage, code, esp, status } = first;
      const times = { firstAt: new Date(firstAt).toISOString(), lastAt: new Date(lastAt).toISOString() };
      return [{ stage, code, esp, status, letters: rest.length + 1, ...times }];
    })
    .sort((a, b) => b.letters - a.letters);
}
