import { PipelineError, TransactionalWriter } from '@email-events/core';
import { Codec } from '@email-events/schemas';
import pc from 'picocolors';
import { type Action, type CommonOptions, loadPipelineConfig } from '../command.ts';
import {
  type Change,
  type Changed,
  type ChangePlan,
  changeLetters,
  planChange,
} from '../dead-letters/change.ts';
import { isMeant, isNarrow, type LetterFilter, matchesFilter, parseId } from '../dead-letters/filter.ts';
import { Ledger, type LetterStatus, type LetterSummary } from '../dead-letters/ledger.ts';
import { type Letters, readLetters } from '../dead-letters/letters-topic.ts';
import { readStory } from '../dead-letters/story.ts';
import { supersededRecords } from '../dead-letters/superseded.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { counted, formatCount, note, print, printJson, progress } from '../output.ts';
import type { PipelineConfig } from '../services.ts';
import {
  jsonOf,
  type LetterGroup,
  renderGroups,
  renderLetters,
  renderPlan,
  renderStory,
  storyAsJson,
} from './dlq-render.ts';
import { registrySettings } from './schemas-action.ts';

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
  change(options, ids, { status: 'replayed' });

export const discardAction: Action<ChangeActionOptions> = (options, ids) =>
  change(options, ids, { status: 'discarded', note: options.reason ?? '' });

async function change(
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
  return { config, letters: { kafka: config.kafka, codec: new Codec(registrySettings(config)) } };
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
