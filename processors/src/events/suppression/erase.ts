import type { AccountScope, AccountState, Evidence, RecipientState } from '@email-events/schemas';

/** The state without whatever may name the recipient: what ESPs and operators wrote as text. */
export function withoutTexts(state: RecipientState): RecipientState {
  return {
    ...state,
    accounts: state.accounts.map(accountWithoutTexts),
    words: state.words.map((word) => ({ ...word, why: '' })),
  };
}

const all = (evidence: readonly Evidence[]) => evidence.map((each) => ({ ...each, detail: null }));

const accountWithoutTexts = (entry: AccountState): AccountState => ({
  ...entry,
  hard_bounces: all(entry.hard_bounces),
  complaints: all(entry.complaints),
  scopes: entry.scopes.map(scopeWithoutTexts),
  soft_bounces: all(entry.soft_bounces),
});

const scopeWithoutTexts = (scope: AccountScope): AccountScope => ({
  ...scope,
  unsubscribes: all(scope.unsubscribes),
  subscribes: all(scope.subscribes),
});
