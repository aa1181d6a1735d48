import pc from 'picocolors';
import type { LetterStatus, LetterSummary } from '../dead-letters/letters.ts';
import type { Shown, Story } from '../dead-letters/story.ts';
import { counted, formatCount, formatTime, renderTable } from '../output.ts';
import { jsonText, visible } from '../terminal.ts';

/** Letters that have stage, code, ESP and status in common. */
export interface LetterGroup {
  readonly stage: string;
  readonly code: string;
  readonly esp: string | null;
  readonly status: LetterStatus;
  readonly letters: number;
  readonly firstAt: string;
  readonly lastAt: string;
}

const iso = (time: number | null) => (time === null ? null : new Date(time).toISOString());

/** A letter as --json shows it: times are ISO 8601. */
export function jsonOf({ at: _, record: __, state: ___, ...letter }: LetterSummary) {
  const { firstAt, lastAt, statusAt } = letter;
  return { ...letter, firstAt: iso(firstAt), lastAt: iso(lastAt), statusAt: iso(statusAt) };
}

export function storyAsJson({ letter, history, recordedAt, ...bytes }: Story) {
  return { letter: jsonOf(letter), recordedAt: iso(recordedAt), ...bytes, history: history.map(jsonOf) };
}

const COLOURS: { readonly [S in LetterStatus]: (text: string) => string } = {
  open: pc.yellow,
  replayed: pc.green,
  discarded: pc.dim,
};

export function renderLetters(letters: readonly LetterSummary[]): Promise<string> | string {
  if (letters.length === 0) return pc.green('no dead letters');
  return renderTable(
    ['last failure', 'id', 'stage', 'code', 'esp', 'source', 'tries', 'status'],
    letters.map(({ id, stage, code, esp, source, attempts, lastAt, status }) => [
      formatTime(lastAt),
      id,
      stage,
      code,
      esp ?? '',
      source ?? '',
      attempts,
      COLOURS[status](status),
    ]),
  );
}

export function renderGroups(groups: readonly LetterGroup[]): Promise<string> | string {
  if (groups.length === 0) return pc.green('no dead letters');
  return renderTable(
    ['letters', 'stage', 'code', 'esp', 'status', 'first failure', 'last failure'],
    groups.map(({ letters, stage, code, esp, status, firstAt, lastAt }) => [
      letters,
      stage,
      code,
      esp ?? '',
      COLOURS[status](status),
      formatTime(firstAt),
      formatTime(lastAt),
    ]),
  );
}

export interface ChangeReport {
  readonly dryRun: boolean;
  readonly status: LetterStatus;
  readonly records: number;
  readonly letters: number;
  /** Of the records: discarded instead, since a newer one has taken their place. */
  readonly superseded: number;
  readonly groups: readonly LetterGroup[];
  readonly problems: readonly { readonly id: string; readonly stage: string; readonly problem: string }[];
}

const MAX_PROBLEMS = 20;

export async function renderPlan({
  dryRun,
  status,
  records,
  letters,
  superseded,
  groups,
  problems,
}: ChangeReport) {
  const lines: string[] = [];
  if (groups.length > 0) lines.push(await renderGroups(groups), '');
  for (const { id, stage, problem } of problems.slice(0, MAX_PROBLEMS))
    lines.push(`${pc.red('left alone')} ${visible(`${stage} ${id}: ${problem}`)}`);
  if (problems.length > MAX_PROBLEMS) lines.push(`… and ${formatCount(problems.length - MAX_PROBLEMS)} more`);
  if (superseded > 0)
    lines.push(
      `${counted(superseded, 'state')} replaced by newer ones in the meantime: discarded, not replayed`,
    );
  const all = `${counted(letters, 'letter')} of ${counted(records, 'record')}`;
  lines.push(dryRun ? `${all} would be ${status}; nothing was changed` : pc.green(`${all} ${status}`));
  return lines.join('\n');
}

export async function renderStory(stories: readonly Story[]): Promise<string> {
  return stories.map(renderOne).join(`\n\n${pc.dim('─'.repeat(60))}\n\n`);
}

function renderOne({ letter, recordedAt, item, key, value, headers, history }: Story): string {
  const facts: [string, string | number | null][] = [
    ['stage', letter.stage],
    ['code', letter.code],
    ['message', letter.message],
    ['status', `${letter.status}${letter.note === null ? '' : `: ${letter.note}`}`],
    ['attempts', `${letter.attempts}, replayed ${counted(letter.replays, 'time')}`],
    ['first failure', iso(letter.firstAt)],
    ['last failure', iso(letter.lastAt)],
    ['recorded', iso(recordedAt)],
    ['esp', letter.esp],
    ['source', letter.source],
    ['request id', letter.requestId],
  ];
  const lines = [pc.bold(visible(letter.id))];
  for (const [name, text] of facts)
    if (text !== null) lines.push(`${pc.dim(name.padEnd(14))} ${visible(String(text))}`);
  if (history.length > 1) {
    lines.push('', pc.dim('history'));
    for (const { status, code, attempts, lastAt, statusAt, note } of history)
      lines.push(
        `  ${iso(statusAt ?? lastAt)} ${status} ${visible(`${code}, attempt ${attempts}${note ? `: ${note}` : ''}`)}`,
      );
  }
  for (const [name, bytes] of Object.entries(headers)) lines.push(...block(`header ${visible(name)}`, bytes));
  lines.push(...block('key', key), ...block('item', item), ...block('value', value));
  return lines.join('\n');
}

function block(name: string, shown: Shown | null): string[] {
  if (shown === null) return ['', pc.dim(`${name}: none`)];
  const { bytes, encoding, content } = shown;
  const text = typeof content === 'string' ? visible(content, 'lines') : jsonText(content, 2);
  return ['', pc.dim(`${name} (${counted(bytes, 'byte')}, ${encoding})`), text];
}
