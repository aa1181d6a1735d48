import type {
  AccountScope,
  AccountState,
  Evidence,
  OperatorWord,
  RecipientState,
} from '@email-events/schemas';
import { EVERYONE, emptyEntry, UNNAMED, widestScope, withEntry, withScope } from './accounts.ts';
import {
  byTime,
  COLLAPSED,
  FOR_GOOD,
  firstOf,
  latestOf,
  type Order,
  select,
  UNTIL_LATER,
} from './evidence.ts';
import { activeUnsubscribe, counts, liftedScope, SOFT_BOUNCES_KEPT } from './reasons.ts';
import { byOrder, isRetracted } from './words.ts';

// Ways to make a state smaller. Each may suppress more than was said, none less.

/** Streams that are kept apart, by account: of those that were left, and of those that were joined (again). */
export const MAX_SCOPES = 50;

/**
 * Streams beyond the limits: those that were left become one; of the others, of which `mostJoined` are kept, the oldest go, which
 * costs a late unsubscribe its answer.
 */
export function withFewScopes(state: RecipientState, mostJoined: number): RecipientState {
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
export function collapsed(state: RecipientState, entry: AccountState): AccountState {
  const named = entry.scopes.filter(({ scope }) => !isWide(scope));
  if (named.length === 0) return entry;
  const wide = { ...entry, scopes: entry.scopes.filter(({ scope }) => isWide(scope)) };
  const left = named
    .filter((scope) => activeUnsubscribe(state, entry, scope) !== undefined)
    .flatMap(({ scope, unsubscribes: found }) =>
      found.filter((each) => counts(state, each, 'unsubscribe', liftedScope(entry, scope))),
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

/** Evidence that the words took back must be gone already. */
export function newestWords(words: readonly OperatorWord[], most: number): OperatorWord[] {
  const others = words.filter(({ kind }) => kind !== 'suppress');
  const suppressing = words.filter(({ kind }) => kind === 'suppress');
  const [last] = suppressing.slice(-1);
  const tooMany = last && words.length > most && suppressing.length > most / 2;
  // As of the newest word: a lift of all mail that is older than their becoming one did not mean them.
  const at = Math.max(...words.map((word) => word.at));
  const kept = tooMany ? [{ ...last, scope: 'all', at }] : suppressing;
  const room = Math.max(0, most - kept.length);
  return words.length <= most
    ? [...words]
    : [...kept, ...(room > 0 ? others.slice(-room) : [])].sort(byOrder);
}

export function withTexts(state: RecipientState, cut: (text: string) => string): RecipientState {
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
export function onlyWhatCounts(state: RecipientState): RecipientState {
  const one = (evidence: Evidence | undefined) => (evidence ? [evidence] : []);
  const accounts = state.accounts.map((entry): AccountState => {
    const widest = widestScope(entry.account);
    const counting = (evidence: Evidence[], reason: Parameters<typeof counts>[2], scope: string) =>
      evidence.filter((each) => counts(state, each, reason, scope));
    const scopes = entry.scopes.map(({ scope, unsubscribes, subscribes }) => ({
      scope,
      unsubscribes: one(
        activeUnsubscribe(state, entry, { scope, unsubscribes, subscribes }) ??
          latestOf(counting(unsubscribes, 'unsubscribe', liftedScope(entry, scope))),
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
export function withFewSoftBounces(state: RecipientState): RecipientState {
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

/** All accounts as one, whose unsubscribes only an operator takes back. */
export function withOneAccount(state: RecipientState): RecipientState {
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
