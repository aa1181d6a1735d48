import type { AccountState, Evidence, RecipientState, ScopeState } from '@email-events/schemas';
import { NO_STATE, UNNAMED, withEntry, withScope } from './accounts.ts';
import { bounded, byTime, FOR_GOOD, nameOf, type Order, scopeOf, select, UNTIL_LATER } from './evidence.ts';

/**
 * The state as it would be, had accounts always been told apart: what one says that was written before they were goes to the
 * account named by the ESP that reported it, as do events of sources that name no account; what names no ESP to an entry
 * without a name. The same object if there is nothing of the kind.
 */
export function withAccounts(state: RecipientState): RecipientState {
  const { hard_bounce, complaint, subscriptions, soft_bounces, delivered_at } = state;
  const isLegacy =
    hard_bounce !== null ||
    complaint !== null ||
    delivered_at !== null ||
    subscriptions.length > 0 ||
    soft_bounces.length > 0;
  if (!isLegacy) return state;
  const { accounts, words, revision, erased_at, barrier } = state;
  let result: RecipientState = { ...NO_STATE, accounts, words, revision, erased_at, barrier };
  if (hard_bounce) result = put(result, hard_bounce, 'hard_bounces', FOR_GOOD);
  if (complaint) result = put(result, complaint, 'complaints', FOR_GOOD);
  for (const bounce of soft_bounces) result = put(result, bounce, 'soft_bounces', undefined);
  for (const subscription of subscriptions) result = withSubscription(result, subscription);
  if (delivered_at === null) return result;
  return withEntry(result, UNNAMED, (entry) => ({
    ...entry,
    delivered_at: Math.max(delivered_at, entry.delivered_at ?? -Infinity),
  }));
}

function put(
  state: RecipientState,
  found: Evidence,
  kind: 'hard_bounces' | 'complaints' | 'soft_bounces',
  orders: readonly Order[] | undefined,
): RecipientState {
  const evidence = bounded(found);
  const more = (known: Evidence[]) =>
    orders ? select(known, evidence, orders) : [...known, evidence].sort(byTime);
  return withEntry(
    state,
    nameOf(found.esp),
    (entry): AccountState => ({ ...entry, [kind]: more(entry[kind]) }),
  );
}

function withSubscription(state: RecipientState, { scope, unsubscribed, subscribed_at }: ScopeState) {
  const name = scopeOf(scope);
  let result = state;
  if (unsubscribed) {
    const evidence = bounded(unsubscribed);
    result = withEntry(result, nameOf(unsubscribed.esp), (entry) =>
      withScope(entry, name, (known) => ({
        ...known,
        unsubscribes: select(known.unsubscribes, evidence, UNTIL_LATER),
      })),
    );
  }
  if (subscribed_at === null) return result;
  const joined = { at: subscribed_at, esp: '', source: '', event_id: '', detail: null, received_at: null };
  return withEntry(result, UNNAMED, (entry) =>
    withScope(entry, name, (known) => ({
      ...known,
      subscribes: select(known.subscribes, joined, UNTIL_LATER),
    })),
  );
}
