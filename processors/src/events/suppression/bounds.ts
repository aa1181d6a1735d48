import type {
  AccountScope,
  AccountState,
  Evidence,
  OperatorWord,
  RecipientState,
} from '@email-events/schemas';
import {
  EVERYONE,
  emptyEntry,
  saysNothing,
  UNNAMED,
  widestScope,
  withEntry,
  withScope,
} from './account-states.ts';
import {
  byTime,
  COLLAPSED,
  FOR_GOOD,
  firstOf,
  latestOf,
  type Order,
  select,
  shortened,
  UNTIL_LATER,
} from './evidence.ts';
import {
  activeUnsubscribe,
  counts,
  effectiveScope,
  reasonsOf,
  SOFT_BOUNCES_KEPT,
  type SoftBounceRule,
} from './reasons.ts';
import { reasonsBytes, stateBytes } from './size.ts';
import { isRetracted } from './words.ts';

/** Of a record of a state. */
export const MAX_STATE_BYTES = 8_000;
/** Of the reasons in a record of email.suppressions, which holds the address beside them. */
export const MAX_REASONS_BYTES = 7_000;
/** A smaller state has no more reasons than that: one is at most three times its evidence. */
const FEW_BYTES = 2_300;
/** Streams that are kept apart, by account: of those that were left, and of those that were joined (again). */
export const MAX_SCOPES = 50;
export const MAX_WORDS = 32;
const SHORT_DETAIL = 60;
const FEW_ENTRIES = 8;

/**
 * The state within its bounds; the same object if it is already. What goes first matters least, and whatever goes, nobody is
 * mailed who would not have been: texts are cut, then only the evidence that counts is kept, then the streams of an account
 * become one (those that were joined again go before), then the oldest soft bounces go, then lifts and retractions, and in the end accounts are not told apart.
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
  smaller = onlyWhatCounts(smaller);
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
  smaller = withFewSoftBounces(smaller);
  yield smaller;
  for (const words of [16, 8, 4, 0]) {
    smaller = { ...smaller, words: newestWords(smaller.words, words) };
    yield smaller;
  }
  yield withOneAccount(smaller);
}

/**
 * Streams beyond the limits: those that were left become one; of the others, of which `mostJoined` are kept, the oldest go, which
 * costs a late unsubscribe its answer.
 */
function withFewScopes(state: RecipientState, mostJoined: number): RecipientState {
  if (state.accounts.every(({ scopes }) => scopes.length <= mostJoined)) return state;
  // Those that only lift come last: what they lift must be known.
  const entries = state.accounts.toSorted((a, b) => Number(onlyLifts(a)) - Number(onlyLifts(b)));
  return entries.reduce((before, entry) => withFewScopesOf(before, entry, mostJoined), state);
}

function withFewScopesOf(state: RecipientState, entry: AccountState, mostJoined: number): RecipientState {
  if (entry.scopes.length <= mostJoined) return state;
  const named = entry.scopes.filter(({ scope }) => !isWide(scope));
  const isLeft = (scope: AccountScope) => activeUnsubscribe(state, entry, scope) !== undefined;
  const isNeeded = ({ scope }: AccountScope) =>
    state.accounts.some((other) =>
      other.scopes.some((known) => known.scope === scope && known.unsubscribes.length > 0),
    );
  const {
    left = [],
    needed = [],
    joined = [],
  } = Object.groupBy(named, (scope) => (isLeft(scope) ? 'left' : isNeeded(scope) ? 'needed' : 'joined'));
  const kept = [...needed.sort(newestFirst), ...joined.sort(newestFirst)].slice(0, mostJoined);
  const forgotten = new Set([...needed, ...joined].filter((scope) => !kept.includes(scope)));
  const fewer = { ...entry, scopes: entry.scopes.filter((scope) => !forgotten.has(scope)) };
  const few = left.length > MAX_SCOPES ? collapsed(state, fewer) : fewer;
  if (forgotten.size === 0 && few === fewer) return state;
  return withEntry(state, entry.account, () => few);
}

const onlyLifts = ({ account }: AccountState) => account === UNNAMED || account === EVERYONE;

const isWide = (scope: string) => scope === 'all' || scope === COLLAPSED;
const newestIn = ({ unsubscribes, subscribes }: AccountScope) =>
  Math.max(...[...unsubscribes, ...subscribes].map(({ at }) => at));
const newestFirst = (a: AccountScope, b: AccountScope) => newestIn(b) - newestIn(a);

/**
 * The streams of an entry as one. It is not `all`: who joins all mail again does not join every stream that was left, so nothing
 * but an operator takes it back.
 */
function collapsed(state: RecipientState, entry: AccountState): AccountState {
  const named = entry.scopes.filter(({ scope }) => !isWide(scope));
  if (named.length === 0) return entry;
  const wide = { ...entry, scopes: entry.scopes.filter(({ scope }) => isWide(scope)) };
  const left = named
    .filter((scope) => activeUnsubscribe(state, entry, scope) !== undefined)
    .flatMap(({ scope, unsubscribes: found }) =>
      found.filter((each) => counts(state, each, 'unsubscribe', effectiveScope(entry, scope))),
    );
  if (left.length === 0) return wide;
  return withScope(wide, COLLAPSED, (known) => ({
    ...known,
    unsubscribes: selected([...known.unsubscribes, ...left], UNTIL_LATER),
  }));
}

function selected(evidence: readonly Evidence[], orders: readonly Order[]): Evidence[] {
  return evidence.reduce<Evidence[]>((kept, each) => select(kept, each, orders), []);
}

/** Beyond the limit, suppressions of streams become one of all mail, and the oldest of the others go. */
function withFewWords(state: RecipientState): RecipientState {
  if (state.words.length <= MAX_WORDS) return state;
  return { ...onlyWhatCounts(state), words: newestWords(state.words, MAX_WORDS) };
}

/** What they took back must be gone already. */
function newestWords(words: readonly OperatorWord[], most: number): OperatorWord[] {
  const others = words.filter(({ kind }) => kind !== 'suppress');
  const suppressing = words.filter(({ kind }) => kind === 'suppress');
  const [last] = suppressing.slice(-1);
  const tooMany = last && words.length > most && suppressing.length > most / 2;
  const kept = tooMany ? [{ ...last, scope: 'all' }] : suppressing;
  const room = Math.max(0, most - kept.length);
  return words.length <= most
    ? [...words]
    : [...kept, ...(room > 0 ? others.slice(-room) : [])].sort((a, b) => words.indexOf(a) - words.indexOf(b));
}

function withTexts(state: RecipientState, cut: (text: string) => string): RecipientState {
  const short = (evidence: Evidence[]) =>
    evidence.map((each) => ({ ...each, detail: each.detail && (cut(each.detail) || null) }));
  return {
    ...state,
    accounts: state.accounts.map((entry) => mapEvidence(entry, short)),
    words: state.words.map((word) => ({ ...word, why: cut(word.why), by: cut(word.by) })),
  };
}

function mapEvidence(entry: AccountState, map: (evidence: Evidence[]) => Evidence[]): AccountState {
  return {
    ...entry,
    hard_bounces: map(entry.hard_bounces),
    complaints: map(entry.complaints),
    soft_bounces: map(entry.soft_bounces),
    scopes: entry.scopes.map((scope) => ({
      ...scope,
      unsubscribes: map(scope.unsubscribes),
      subscribes: map(scope.subscribes),
    })),
  };
}

/** Of each kind the one that counts. What operators took back goes for good, so that their words need not be kept for it. */
function onlyWhatCounts(state: RecipientState): RecipientState {
  const one = (evidence: Evidence | undefined) => (evidence ? [evidence] : []);
  const accounts = state.accounts.map((entry): AccountState => {
    const widest = widestScope(entry.account);
    const counting = (evidence: Evidence[], reason: Parameters<typeof counts>[2], scope: string) =>
      evidence.filter((each) => counts(state, each, reason, scope));
    const scopes = entry.scopes.map(({ scope, unsubscribes, subscribes }) => ({
      scope,
      unsubscribes: one(
        activeUnsubscribe(state, entry, { scope, unsubscribes, subscribes }) ??
          latestOf(counting(unsubscribes, 'unsubscribe', effectiveScope(entry, scope))),
      ),
      subscribes: one(latestOf(subscribes.filter((joined) => !isRetracted(state.words, joined)))),
    }));
    return {
      ...entry,
      hard_bounces: one(firstOf(counting(entry.hard_bounces, 'hard_bounce', widest), byTime)),
      complaints: one(firstOf(counting(entry.complaints, 'complaint', widest), byTime)),
      soft_bounces: counting(entry.soft_bounces, 'soft_bounces', widest),
      scopes: scopes.filter((scope) => scope.unsubscribes.length + scope.subscribes.length > 0),
    };
  });
  return { ...state, accounts };
}

/** The newest of those that count together: as many as suppress by themselves. */
function withFewSoftBounces(state: RecipientState): RecipientState {
  const kept = new Set<Evidence>();
  const runs = Map.groupBy(state.accounts, ({ account }) => widestScope(account));
  for (const entries of runs.values()) {
    const all = entries.flatMap(({ soft_bounces }) => soft_bounces).sort(byTime);
    for (const bounce of all.slice(-SOFT_BOUNCES_KEPT)) kept.add(bounce);
  }
  const accounts = state.accounts.map((entry) => ({
    ...entry,
    soft_bounces: entry.soft_bounces.filter((bounce) => kept.has(bounce)),
  }));
  return { ...state, accounts };
}

/** All accounts as one, whose unsubscribes nobody but an operator takes back. */
function withOneAccount(state: RecipientState): RecipientState {
  const { accounts } = state;
  const all = (of: (entry: AccountState) => readonly Evidence[]) => accounts.flatMap(of);
  const active = (entry: AccountState) =>
    entry.scopes.flatMap((scope) => activeUnsubscribe(state, entry, scope) ?? []);
  const [hard, complaint] = [all(({ hard_bounces }) => hard_bounces), all(({ complaints }) => complaints)];
  const left = latestOf(accounts.flatMap(active));
  return {
    ...state,
    accounts: [
      {
        ...emptyEntry(UNNAMED),
        hard_bounces: selected(hard, FOR_GOOD).sort(byTime).slice(0, 1),
        complaints: selected(complaint, FOR_GOOD).sort(byTime).slice(0, 1),
        soft_bounces: all(({ soft_bounces }) => soft_bounces)
          .sort(byTime)
          .slice(-SOFT_BOUNCES_KEPT),
        scopes: left ? [{ scope: COLLAPSED, unsubscribes: [left], subscribes: [] }] : [],
      },
    ],
  };
}
