import type {
  AccountScope,
  AccountState,
  Evidence,
  RecipientState,
  SuppressionReason,
} from '@email-events/schemas';
import { accountOf, EVERYONE, saysNothing, UNNAMED, widestScope } from './accounts.ts';
import { byTime, COLLAPSED, firstOf, latestOf } from './evidence.ts';
import { isLifted, isRetracted, manualSuppressions } from './words.ts';

export interface SoftBounceRule {
  /** Consecutive soft bounces that suppress. */
  readonly threshold: number;
  readonly windowMs: number;
}

/**
 * Soft bounces remembered per account, so that the state of a mailbox that never recovers stays bounded. That many without a
 * delivery suppress under any rule: otherwise the state could forget the run that suppressed, which would re-enable the recipient.
 */
export const SOFT_BOUNCES_KEPT = 32;

type Reason = SuppressionReason['reason'];

/** Evidence that counts, and the entry that it is of. */
interface Found {
  readonly evidence: Evidence;
  readonly entry: AccountState;
}

/** The reasons that are active in a state, one by reason and scope, in a fixed order. */
export function reasonsOf(state: RecipientState, rule: SoftBounceRule): SuppressionReason[] {
  const { accounts, words } = state;
  if (words.length === 0 && accounts.every(saysNothing)) return NONE;
  return [
    ...suppressedForGood(state, 'hard_bounce', ({ hard_bounces }) => hard_bounces),
    ...suppressedForGood(state, 'complaint', ({ complaints }) => complaints),
    ...softBounces(state, rule),
    ...unsubscribes(state),
    ...manual(state),
  ];
}
const NONE: SuppressionReason[] = [];

/** Whether evidence for a reason is left by what operators said. */
export const counts = (
  { words }: RecipientState,
  evidence: Evidence,
  reason: Reason,
  scope: string,
): boolean =>
  words.length === 0 || !(isRetracted(words, evidence) || isLifted(words, evidence, reason, scope));

/** The unsubscribe of an entry's scope that counts and was not taken back by a later subscription; undefined: none. */
export function activeUnsubscribe(
  state: RecipientState,
  entry: AccountState,
  { scope, unsubscribes: found }: AccountScope,
): Evidence | undefined {
  const lifted = liftedScope(entry, scope);
  const counting = found.filter((evidence) => counts(state, evidence, 'unsubscribe', lifted));
  return latestOf(counting.filter((evidence) => !isTakenBack(state, entry, scope, evidence)));
}

/** The scope that an entry's scope suppresses: `all` of a source with limited trust means all streams of its account. */
export const effectiveScope = ({ account }: AccountState, scope: string) =>
  scope === 'all' || scope === COLLAPSED ? widestScope(account) : scope;

/**
 * The scope that a lift must name for it, or none. Streams that have become one go by a lift of every scope only: a lift of all mail that is
 * older than their becoming one did not mean them.
 */
export const liftedScope = (entry: AccountState, scope: string) =>
  scope === COLLAPSED ? COLLAPSED : effectiveScope(entry, scope);

function isTakenBack(state: RecipientState, own: AccountState, scope: string, left: Evidence): boolean {
  return state.accounts.some((entry) =>
    entry.scopes
      .find((known) => known.scope === scope)
      ?.subscribes.some(
        (joined) =>
          // At the same moment the unsubscribe wins: sending nothing is the safe mistake.
          joined.at > left.at && mayLift(entry, joined, own, left) && !isRetracted(state.words, joined),
      ),
  );
}

/**
 * Whether a subscription speaks of the same account. A source does so for what it said itself before it was given an account; what
 * says no ESP does so for what is as old, as it did then.
 */
function mayLift(entry: AccountState, joined: Evidence, own: AccountState, left: Evidence): boolean {
  if (entry.account === UNNAMED) return left.received_at === null;
  return (
    entry.account === EVERYONE ||
    accountOf(entry.account) === accountOf(own.account) ||
    (joined.source !== '' && joined.source === left.source)
  );
}

/** By scope, the earliest that counts: nothing but an operator takes it back. */
function suppressedForGood(
  state: RecipientState,
  reason: Reason,
  of: (entry: AccountState) => readonly Evidence[],
): SuppressionReason[] {
  const earliest = new Map<string, Found>();
  for (const entry of state.accounts) {
    const scope = widestScope(entry.account);
    const evidence = firstOf(
      of(entry).filter((each) => counts(state, each, reason, scope)),
      byTime,
    );
    const known = earliest.get(scope);
    if (evidence && (!known || byTime(evidence, known.evidence) < 0))
      earliest.set(scope, { evidence, entry });
  }
  return byScope(earliest, reason);
}

/** Those of all accounts together; those of sources that may only suppress their account's streams, by account. */
function softBounces(state: RecipientState, rule: SoftBounceRule): SuppressionReason[] {
  const runs = new Map<string, Found[]>();
  for (const entry of state.accounts) {
    const scope = widestScope(entry.account);
    const run = runs.get(scope) ?? [];
    for (const evidence of entry.soft_bounces)
      if (counts(state, evidence, 'soft_bounces', scope)) run.push({ evidence, entry });
    if (run.length > 0) runs.set(scope, run);
  }
  const suppressing = new Map<string, Found>();
  for (const [scope, run] of runs) {
    const found = suppressingSoftBounce(
      run.sort((a, b) => byTime(a.evidence, b.evidence)),
      rule,
    );
    if (found) suppressing.set(scope, found);
  }
  return byScope(suppressing, 'soft_bounces');
}

/** The bounce that completes the first run of `threshold` within the window; else the last of as many as are kept. */
function suppressingSoftBounce(
  bounces: readonly Found[],
  { threshold, windowMs }: SoftBounceRule,
): Found | undefined {
  for (let last = threshold - 1; last < bounces.length; last++) {
    const [first, completing] = [bounces[last - threshold + 1], bounces[last]];
    if (first && completing && completing.evidence.at - first.evidence.at <= windowMs) return completing;
  }
  return bounces[SOFT_BOUNCES_KEPT - 1];
}

/** By scope, the latest that is active. */
function unsubscribes(state: RecipientState): SuppressionReason[] {
  const latest = new Map<string, Found>();
  for (const entry of state.accounts) {
    for (const scopeState of entry.scopes) {
      const evidence = activeUnsubscribe(state, entry, scopeState);
      const scope = effectiveScope(entry, scopeState.scope);
      const known = latest.get(scope);
      if (evidence && (!known || byTime(evidence, known.evidence) > 0))
        latest.set(scope, { evidence, entry });
    }
  }
  return byScope(latest, 'unsubscribe');
}

function manual({ words }: RecipientState): SuppressionReason[] {
  return manualSuppressions(words).map(({ scope, at, action_id, why }) => ({
    ...{ reason: 'manual', scope: scope ?? 'all', since: at, esp: 'operator', source: '' },
    ...{ event_id: action_id, detail: why || null, account: null },
  }));
}

function byScope(found: ReadonlyMap<string, Found>, reason: Reason): SuppressionReason[] {
  return [...found]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([scope, { evidence, entry }]) => {
      const { at, received_at: _, ...rest } = evidence;
      const account = accountOf(entry.account);
      return { reason, scope, since: at, ...rest, account: namesNone(account, evidence) ? null : account };
    });
}

/** The account of a source that names none is its ESP. */
const namesNone = (account: string, { esp }: Evidence) => account === UNNAMED || account === esp;

/** Whether the same is suppressed for the same reasons by the same events. */
export function sameReasons(a: readonly SuppressionReason[], b: readonly SuppressionReason[]): boolean {
  return sameScopes(a, b) && a.every(({ event_id }, i) => event_id === b[i]?.event_id);
}

/** Whether the same is suppressed for the same reasons; the events that say so may differ. */
export function sameScopes(a: readonly SuppressionReason[], b: readonly SuppressionReason[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ reason, scope }, i) => reason === b[i]?.reason && scope === b[i]?.scope)
  );
}
