import type { CommonConfig } from '@email-events/core';
import type { AccountScope, AccountState, EmailEvent, RecipientState } from '@email-events/schemas';
import { ACCOUNT_PREFIX, nameOf } from './evidence.ts';

/** How far a source is trusted to suppress and to lift (`sources.<name>.suppresses` and `.lifts`). */
export interface SourcePolicy {
  readonly suppresses: 'all' | 'own-streams' | 'nothing';
  readonly lifts: 'own' | 'all';
}

/** Never throws, not even for a name that the configuration does not have. */
export type PolicyOf = (source: string) => SourcePolicy;

/** The policy of a source that the configuration does not name (any more). */
export const DEFAULT_POLICY: SourcePolicy = { suppresses: 'all', lifts: 'own' };

export function policiesOf(sources: CommonConfig['sources']): PolicyOf {
  // A map, since a source may be named like a property that every object has.
  const policies = new Map<string, SourcePolicy>(Object.entries(sources));
  return (source) => policies.get(source) ?? DEFAULT_POLICY;
}

export const NO_STATE: RecipientState = {
  hard_bounce: null,
  complaint: null,
  subscriptions: [],
  soft_bounces: [],
  delivered_at: null,
  accounts: [],
  words: [],
  revision: 0,
  erased_at: null,
  barrier: null,
};

/**
 * A state has an entry for each account, by its name. Reports of sources that may suppress only the streams of their account
 * are in a second entry, `account:<name>`, so that neither entry hides the other.
 */
const limited = (account: string) => `${ACCOUNT_PREFIX}${account}`;
/** The entry for events that lift unsubscribes, and end runs of soft bounces, of every account. */
export const EVERYONE = '*';
/** The entry for evidence that names no ESP, learnt before the pipeline told accounts apart. */
export const UNNAMED = '';

/** Name of the entry that holds what the event says against a recipient. */
export function entryOf(event: EmailEvent, { suppresses }: SourcePolicy): string {
  const account = nameOf(event.account ?? event.esp);
  return suppresses === 'own-streams' ? limited(account) : account;
}

/** Name of the entry that holds what the event says in favour of a recipient. */
export const liftingEntryOf = (event: EmailEvent, policy: SourcePolicy) =>
  policy.lifts === 'all' ? EVERYONE : entryOf(event, policy);

const isLimited = (entry: string) => entry.startsWith(ACCOUNT_PREFIX);

/** The account whose entry it is. */
export const accountOf = (entry: string) => (isLimited(entry) ? entry.slice(ACCOUNT_PREFIX.length) : entry);

/** The most that an entry may suppress. */
export const widestScope = (entry: string) => (isLimited(entry) ? entry : 'all');

/** The state with one entry changed; the same object if it is not. An entry that says nothing is none. */
export function withEntry(
  state: RecipientState,
  name: string,
  change: (entry: AccountState) => AccountState,
): RecipientState {
  const { accounts } = state;
  const index = accounts.findIndex(({ account }) => account === name);
  const before = accounts[index] ?? emptyEntry(name);
  const after = change(before);
  if (after === before) return state;
  if (index !== -1)
    return {
      ...state,
      accounts: isEmpty(after) ? accounts.toSpliced(index, 1) : accounts.with(index, after),
    };
  const sorted = [...accounts, after].sort((a, b) => (a.account < b.account ? -1 : 1));
  return { ...state, accounts: sorted };
}

/** The entry with one scope changed; the same object if it is not. */
export function withScope(
  entry: AccountState,
  scope: string,
  change: (scope: AccountScope) => AccountScope,
): AccountState {
  const { scopes } = entry;
  const index = scopes.findIndex((known) => known.scope === scope);
  const before = scopes[index] ?? { scope, unsubscribes: [], subscribes: [] };
  const after = change(before);
  if (after === before) return entry;
  if (index !== -1) return { ...entry, scopes: scopes.with(index, after) };
  return { ...entry, scopes: [...scopes, after].sort((a, b) => (a.scope < b.scope ? -1 : 1)) };
}

/** Whether the entry holds nothing at all. */
const isEmpty = (entry: AccountState) => entry.delivered_at === null && saysNothing(entry);

/** Whether the entry holds no evidence: nothing that could suppress, or lift a suppression. */
export const saysNothing = ({ hard_bounces, complaints, scopes, soft_bounces }: AccountState) =>
  hard_bounces.length + complaints.length + scopes.length + soft_bounces.length === 0;

export function emptyEntry(account: string): AccountState {
  return { account, hard_bounces: [], complaints: [], scopes: [], soft_bounces: [], delivered_at: null };
}
