import type {
  AccountState,
  Evidence,
  OperatorWord,
  RecipientState,
  SuppressionReason,
} from '@email-events/schemas';
import { saysNothing, withEntry } from './accounts.ts';
import { shortened } from './evidence.ts';
import { reasonsOf, type SoftBounceRule } from './reasons.ts';
import {
  collapsed,
  MAX_SCOPES,
  newestWords,
  onlyWhatCounts,
  withFewScopes,
  withFewSoftBounces,
  withOneAccount,
  withTexts,
} from './reductions.ts';

/** Of a record of a state. */
export const MAX_STATE_BYTES = 8_000;
/** Of the reasons in a record of email.suppressions, which holds the address beside them. */
export const MAX_REASONS_BYTES = 7_000;
/** A smaller state has no more reasons than that: one is at most three times its evidence. */
const FEW_BYTES = 2_300;
export const MAX_WORDS = 32;
const SHORT_DETAIL = 60;
const FEW_ENTRIES = 8;

/**
 * The state within its bounds; the same object if it is already. The least important goes first, and no step makes a suppressed
 * recipient one that is mailed: texts are cut, then only the evidence that counts is kept, and no more soft bounces than
 * suppress by themselves, then streams that were joined again go, then the streams of an account become one, then the oldest
 * lifts and retractions go, and in the end accounts are not told apart.
 */
export function withinBounds(state: RecipientState, rule: SoftBounceRule): RecipientState {
  // Most recipients: what was sent to them was delivered.
  if (state.words.length === 0 && state.accounts.every(saysNothing) && state.accounts.length <= FEW_ENTRIES)
    return state;
  let smallest = withFewWords(withFewScopes(state, MAX_SCOPES));
  if (fits(smallest, rule)) return smallest;
  for (const smaller of reductions(smallest)) {
    smallest = smaller;
    if (fits(smaller, rule)) break;
  }
  return smallest;
}

function fits(state: RecipientState, rule: SoftBounceRule): boolean {
  const bytes = stateBytes(state);
  if (bytes <= FEW_BYTES) return true;
  return bytes <= MAX_STATE_BYTES && reasonsBytes(reasonsOf(state, rule)) <= MAX_REASONS_BYTES;
}

function* reductions(state: RecipientState): Generator<RecipientState> {
  let smaller = withTexts(state, (text) => shortened(text, SHORT_DETAIL));
  yield smaller;
  smaller = withTexts(smaller, () => '');
  yield smaller;
  smaller = withFewSoftBounces(onlyWhatCounts(smaller));
  yield smaller;
  for (const joined of [20, 5, 0]) {
    smaller = withFewScopes(smaller, joined);
    yield smaller;
  }
  for (const { account } of smaller.accounts.toSorted((a, b) => b.scopes.length - a.scopes.length)) {
    const before = smaller;
    smaller = onlyWhatCounts(withEntry(before, account, (entry) => collapsed(before, entry)));
    yield smaller;
  }
  for (const words of [16, 8, 4, 0]) {
    smaller = { ...smaller, words: newestWords(smaller.words, words) };
    yield smaller;
  }
  yield withOneAccount(smaller);
}

/** Beyond the limit, suppressions of streams become one of all mail, and the oldest of the others go. */
function withFewWords(state: RecipientState): RecipientState {
  if (state.words.length <= MAX_WORDS) return state;
  return { ...onlyWhatCounts(state), words: newestWords(state.words, MAX_WORDS) };
}

// Upper bounds of what Avro takes, in bytes. A number takes 8 at most, a list 3 more than what is in it as long as it is short,
// and a text 3 more than its characters.
const NUMBER = 8;
const LIST = 6;
const text = (value: string | null) => 4 + (value === null ? 0 : Buffer.byteLength(value));
const sum = <T>(list: readonly T[], bytesOf: (each: T) => number) => {
  let bytes = LIST;
  for (const each of list) bytes += bytesOf(each);
  return bytes;
};

/** Upper bound of what a state takes in a record, bytes. What was written before accounts were told apart does not count. */
export const stateBytes = ({ accounts, words }: RecipientState): number =>
  6 * LIST + NUMBER + sum(accounts, entryBytes) + sum(words, wordBytes);

const entryBytes = (entry: AccountState): number =>
  text(entry.account) +
  NUMBER +
  sum(entry.hard_bounces, evidenceBytes) +
  sum(entry.complaints, evidenceBytes) +
  sum(entry.soft_bounces, evidenceBytes) +
  sum(
    entry.scopes,
    ({ scope, unsubscribes, subscribes }) =>
      text(scope) + sum(unsubscribes, evidenceBytes) + sum(subscribes, evidenceBytes),
  );

const evidenceBytes = ({ esp, source, event_id, detail }: Evidence): number =>
  2 * NUMBER + text(esp) + text(source) + text(event_id) + text(detail);

const wordBytes = ({ kind, action_id, by, why, reason, scope, source }: OperatorWord): number =>
  4 * NUMBER +
  [kind, action_id, by, why, reason, scope, source].reduce((bytes, each) => bytes + text(each), 0);

/** Upper bound of what reasons take in a record of email.suppressions, bytes. */
export const reasonsBytes = (reasons: readonly SuppressionReason[]): number =>
  sum(
    reasons,
    ({ reason, scope, esp, source, event_id, detail, account }) =>
      NUMBER +
      [reason, scope, esp, source, event_id, detail, account].reduce((bytes, each) => bytes + text(each), 0),
  );
