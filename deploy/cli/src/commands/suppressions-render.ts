import type { OperatorAction, Suppression } from '@email-events/schemas';
import pc from 'picocolors';
import { counted, formatCount, formatTime, renderTable } from '../output.ts';
import { selfCommand } from '../remedies.ts';
import type { Concerned } from '../suppressions/evidence.ts';
import type { Judgement, NotMade } from '../suppressions/not-made.ts';
import type { OrderResult } from '../suppressions/orders.ts';
import { shellWord, visible } from '../terminal.ts';

type Reason = Suppression['reasons'][number];
export type ListedReason = Reason & { readonly recipient: string };

const iso = (time: number) => new Date(time).toISOString();
const minute = (time: number) => iso(time).slice(0, 16).replace('T', ' ');

/** As --json shows it: times are ISO 8601. */
export function reasonJson({ reason, scope, since, esp, source, account, event_id, detail }: Reason) {
  return { reason, scope, since: iso(since), esp, source, account, eventId: event_id, detail };
}

export function actionJson(action: OperatorAction) {
  const { action_id, kind, at, by, why, reason, scope, source, from, to, changed, taken_at } = action;
  const time = (value: number | null) => (value === null ? null : iso(value));
  return {
    ...{ actionId: action_id, kind, at: iso(at), by, why, reason, scope, source },
    ...{ from: time(from), to: time(to), changed, takenAt: time(taken_at) },
  };
}

export interface SuppressionStory {
  readonly recipient: string;
  readonly state: Suppression | undefined;
  readonly actions: readonly OperatorAction[];
}

/** In words, for a support agent who was asked why a mail did not come. */
export function renderStory({ recipient, state, actions }: SuppressionStory): string {
  const lines = [headline(recipient, state)];
  for (const reason of state?.reasons ?? []) lines.push(`  ${reasonInWords(reason)}`);
  if (state)
    lines.push(pc.dim(`  The last change was at ${iso(state.changed_at)}, by ${visible(state.event_id)}.`));
  if (actions.length > 0) lines.push('', pc.bold('What operators ordered'), ...actions.map(actionInWords));
  if (state && state.reasons.length > 0)
    lines.push('', pc.dim(`→ undo: ${selfCommand()} suppressions lift ${argumentsOf(recipient)}`));
  return lines.join('\n');
}

function headline(recipient: string, state: Suppression | undefined): string {
  const who = pc.bold(visible(recipient));
  if (!state) return `${who} is not suppressed: nothing was ever known against mail to this address.`;
  if (state.suppressed) return `${who} is ${pc.red('suppressed')}: send nothing.`;
  if (state.reasons.length > 0)
    return `${who} is ${pc.yellow('suppressed in part')}: send nothing of what is named here.`;
  return `${who} is ${pc.green('not suppressed')}; it was before, and every reason is gone.`;
}

/** Of the command that undoes it: a local part may begin with a hyphen, and must not pass for an option. */
function argumentsOf(recipient: string): string {
  const word = shellWord(recipient);
  return recipient.startsWith('-') ? `--why "…" -- ${word}` : `${word} --why "…"`;
}

const SAID: { readonly [reason: string]: string } = {
  hard_bounce: 'The address does not work (hard bounce)',
  complaint: 'The recipient complained of spam',
  unsubscribe: 'The recipient unsubscribed',
  soft_bounces: 'The mailbox refused mail several times in a row (soft bounces)',
  manual: 'An operator suppressed it',
};

function reasonInWords({ reason, scope, since, esp, source, account, event_id, detail }: Reason): string {
  const what = SAID[reason] ?? reason;
  const whose = account === null ? '' : `, account ${account}`;
  const by = esp === '' && source === '' ? '' : `, reported by ${esp} at webhook ${source}${whose}`;
  const why = detail === null || detail === '' ? '' : `: ${detail}`;
  return visible(`• ${what}, ${scopeInWords(scope)}, since ${minute(since)}${by} (${event_id})${why}`);
}

function scopeInWords(scope: string): string {
  if (scope === 'all') return 'for all mail';
  // Left more streams than are kept apart.
  if (scope === '*') return 'for all streams';
  const account = /^account:(.*)$/.exec(scope)?.[1];
  return account === undefined ? `for ${scope} only` : `for all streams of account ${account}`;
}

function actionInWords(action: OperatorAction): string {
  const { at, by, why, changed } = action;
  const effect = changed === null ? '' : changed ? '; it changed what is suppressed' : '; it changed nothing';
  return visible(`  ${minute(at)} ${by} ${orderInWords(action)}: ${why}${effect}`);
}

function orderInWords({ kind, reason, scope, source, from, to }: OperatorAction): string {
  if (kind === 'suppress') return `suppressed it, ${scopeInWords(scope ?? 'all')}`;
  if (kind === 'retract') {
    const since = from === null ? '' : ` from ${minute(from)}`;
    const until = to === null ? '' : ` to ${minute(to)}`;
    return `took back what webhook ${source ?? ''} said${since}${until}`;
  }
  const what = reason === null ? 'every reason' : `the reason ${reason}`;
  return `lifted ${what}${scope === null ? '' : `, ${scopeInWords(scope)}`}`;
}

export function renderReasons(reasons: readonly ListedReason[]): Promise<string> | string {
  if (reasons.length === 0) return pc.green('no such suppression');
  return renderTable(
    ['since', 'recipient', 'reason', 'scope', 'esp', 'source', 'account', 'detail'],
    reasons.map(({ since, recipient, reason, scope, esp, source, account, detail }) => [
      formatTime(since),
      ...[recipient, reason, scope, esp, source, account ?? '', (detail ?? '').slice(0, 60)].map((cell) =>
        visible(cell),
      ),
    ]),
  );
}

export async function renderConcerned(
  { recipients, said, suppressedByIt, unknownTime, unnamed }: Concerned,
  alreadyTaken: number,
): Promise<string> {
  const rows = Object.entries(said).map(([kind, count]): [string, number] => [kind, count]);
  const lines = rows.length > 0 ? [await renderTable(['said by it', 'recipients'], rows), ''] : [];
  if (rows.length > 1) lines.push(pc.dim('a recipient of whom it said several is counted in each line'), '');
  lines.push(`${counted(suppressedByIt, 'recipient')} suppressed now for a reason that it gave`);
  if (unknownTime > 0)
    lines.push(
      `${formatCount(unknownTime)} of these by events that ClickHouse does not hold: those received in that time will be taken back`,
    );
  if (unnamed > 0)
    lines.push(
      pc.yellow(
        `${counted(unnamed, 'recipient')} more, of whom ClickHouse has a keyed hash and Kafka no address any more: not changed`,
      ),
    );
  if (alreadyTaken > 0)
    lines.push(`${counted(alreadyTaken, 'recipient')} more, of whom it was taken back before`);
  if (recipients.length > 0)
    lines.push(
      `${counted(recipients.length, 'recipient')} would be changed; nothing was. --yes-change ${recipients.length} does it`,
    );
  else lines.push('nothing to take back');
  return lines.join('\n');
}

export function renderOrdered(
  result: OrderResult,
  wanted: number,
  { waited, already }: { readonly waited: boolean; readonly already: number },
): string {
  const { ordered, changed, unchanged } = result;
  if (wanted === 0) return 'nothing to order';
  if (!waited)
    return pc.green(
      `${counted(ordered, 'order')} written; \`events\` takes ${ordered === 1 ? 'it' : 'them'} in its turn`,
    );
  const left = ordered - changed - unchanged;
  const lines = [`${counted(changed, 'recipient')} changed, ${formatCount(unchanged)} unchanged`];
  if (already > 0) lines.push(`${counted(already, 'recipient')} already so`);
  if (ordered < wanted)
    lines.push(pc.red(`${formatCount(wanted - ordered)} of ${formatCount(wanted)} not ordered`));
  if (left > 0)
    lines.push(
      pc.yellow(
        `${counted(left, 'order')} written and not taken yet: \`events\` takes them when it gets there`,
      ),
    );
  return left > 0 || ordered < wanted ? lines.join('\n') : pc.green(lines.join('\n'));
}

export const notMadeJson = ({ recipient, reason, before, today }: NotMade) => ({
  recipient,
  ...reasonJson(reason),
  before,
  today,
});

const SHOWN_NOT_MADE = 100;

export async function renderNotMade({ notMade, stillMade, unknown }: Judgement): Promise<string> {
  const rows = notMade
    .slice(0, SHOWN_NOT_MADE)
    .map(({ recipient, reason, before, today }) => [
      formatTime(reason.since),
      ...[recipient, reason.reason, reason.scope, reason.source, before, today].map((cell) => visible(cell)),
    ]);
  const head = ['since', 'recipient', 'reason', 'scope', 'source', 'read then', 'read today'];
  const lines = rows.length > 0 ? [await renderTable(head, rows), ''] : [];
  if (notMade.length > rows.length)
    lines.push(`… and ${formatCount(notMade.length - rows.length)} more: --json`);
  lines.push(`${counted(stillMade, 'suppression')} that today's mapping makes too`);
  if (unknown > 0)
    lines.push(
      `${counted(unknown, 'suppression')} that cannot be judged: an operator's, a run of soft bounces, or requests that are gone or cannot be read`,
    );
  lines.push(
    notMade.length > 0
      ? `${counted(notMade.length, 'suppression')} would be lifted; nothing was changed. --yes-change ${notMade.length} does it`
      : 'nothing to lift',
  );
  return lines.join('\n');
}
