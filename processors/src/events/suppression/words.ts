import type { Evidence, OperatorAction, OperatorWord, SuppressionReason } from '@email-events/schemas';
import { boundedScope, nameOf, shortened } from './evidence.ts';

/** Characters of what an operator said that are kept with the recipient; the record of the action has more. */
const MAX_WHY = 200;
const MAX_BY = 60;

type Reason = SuppressionReason['reason'];

/** The part of an action that is kept with the recipient. `now`: epoch milliseconds; no word is later than that. */
export function wordOf(action: OperatorAction, now: number): OperatorWord {
  const { kind, action_id, by, why, reason, scope, source, from, to } = action;
  const isLift = kind === 'lift';
  return {
    kind,
    at: Math.min(action.at, now),
    action_id,
    by: shortened(by, MAX_BY),
    why: shortened(why, MAX_WHY),
    reason: isLift && reason !== null ? nameOf(reason) : null,
    scope: kind === 'retract' ? null : orNull(scope, kind === 'suppress' ? 'all' : null),
    source: kind === 'retract' ? nameOf(source ?? '') : null,
    from: kind === 'retract' ? from : null,
    to: kind === 'retract' ? to : null,
  };
}

const orNull = (scope: string | null, otherwise: string | null) =>
  scope === null ? otherwise : boundedScope(scope);

/**
 * The words with one more, without those that say nothing any more: a lift, a suppression or a retraction that another one
 * covers, and a suppression that was lifted. Depends on the set of words only. The same array if nothing changes. Sorted by time.
 */
export function addWord(words: OperatorWord[], word: OperatorWord): OperatorWord[] {
  if (words.some(({ action_id }) => action_id === word.action_id)) return words;
  if (words.some((known) => covers(known, word))) return words;
  return [...words.filter((known) => !covers(word, known)), word].sort(byOrder);
}

export function byOrder(a: OperatorWord, b: OperatorWord): number {
  if (a.at !== b.at) return a.at - b.at;
  return a.action_id < b.action_id ? -1 : 1;
}

/** Whether `word` says nothing beside `by`. Of two that say the same the later one is kept. */
function covers(by: OperatorWord, word: OperatorWord): boolean {
  if (by.kind === 'lift') {
    if (word.kind === 'suppress') return isLiftOf(by, 'manual', word.scope ?? 'all') && word.at < by.at;
    if (word.kind !== 'lift') return false;
    const isWider =
      (by.reason === null || by.reason === word.reason) && (by.scope === null || by.scope === word.scope);
    return isWider && (by.at !== word.at ? by.at > word.at : !isSameLift(by, word) || isLaterOf(by, word));
  }
  if (by.kind !== word.kind) return false;
  if (by.kind === 'suppress') return by.scope === word.scope && byOrder(by, word) > 0;
  const isSameTime = by.from === word.from && by.to === word.to;
  const holds =
    (by.from ?? -Infinity) <= (word.from ?? -Infinity) && (by.to ?? Infinity) >= (word.to ?? Infinity);
  return by.source === word.source && holds && (!isSameTime || isLaterOf(by, word));
}

const isSameLift = (a: OperatorWord, b: OperatorWord) => a.reason === b.reason && a.scope === b.scope;
const isLaterOf = (a: OperatorWord, b: OperatorWord) => byOrder(a, b) > 0;

const isLiftOf = (lift: OperatorWord, reason: Reason, scope: string) =>
  (lift.reason === null || lift.reason === reason) && (lift.scope === null || lift.scope === scope);

/** Suppressions that no lift has taken back. At the same moment the suppression wins: sending nothing is the safe mistake. */
export function manualSuppressions(words: readonly OperatorWord[]): OperatorWord[] {
  const lifts = words.filter(({ kind }) => kind === 'lift');
  return words.filter(
    ({ kind, scope, at }) =>
      kind === 'suppress' && !lifts.some((lift) => isLiftOf(lift, 'manual', scope ?? 'all') && lift.at > at),
  );
}

/**
 * Whether an operator took it back: it was known, or had occurred, when a lift was ordered. What was learnt before receipts
 * were kept was known to every operator.
 */
export function isLifted(
  words: readonly OperatorWord[],
  { at, received_at }: Evidence,
  reason: Reason,
  scope: string,
): boolean {
  const first = Math.min(at, received_at ?? -Infinity);
  return words.some((word) => word.kind === 'lift' && first <= word.at && isLiftOf(word, reason, scope));
}

/** Whether it was said by a source in a time that was taken back. Without a receipt, the time that it was said of stands in for it. */
export function isRetracted(
  words: readonly OperatorWord[],
  { at, source, received_at }: Pick<Evidence, 'at' | 'source' | 'received_at'>,
): boolean {
  const time = received_at ?? at;
  return words.some(
    (word) =>
      word.kind === 'retract' &&
      word.source === source &&
      (word.from ?? -Infinity) <= time &&
      time < (word.to ?? Infinity),
  );
}
