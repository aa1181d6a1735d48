import type { AccountState, EmailEvent, Evidence, RecipientState } from '@email-events/schemas';
import {
  accountOf,
  DEFAULT_POLICY,
  EVERYONE,
  entryOf,
  liftingEntryOf,
  type SourcePolicy,
  withEntry,
  withScope,
} from './accounts.ts';
import { byTime, evidenceOf, FOR_GOOD, nameOf, scopeOf, select, UNTIL_LATER } from './evidence.ts';
import { SOFT_BOUNCES_KEPT } from './reasons.ts';
import { isRetracted } from './words.ts';

/** Event types that say something about suppression; the state of the others' recipients need not be read. */
export const concernsSuppression = (type: EmailEvent['type']) =>
  type === 'delivered' ||
  type === 'bounced' ||
  type === 'complained' ||
  type === 'unsubscribed' ||
  type === 'subscribed';

/**
 * The recipient's state with one more event. The same object if it changes nothing. The result depends on the set of
 * events only, not on their order: every part is a minimum, a maximum or a bounded newest-first selection.
 * How far the source is trusted is decided here, once, by the configuration at the time the event comes.
 */
export function learn(
  state: RecipientState,
  event: EmailEvent,
  policy: SourcePolicy = DEFAULT_POLICY,
): RecipientState {
  if (policy.suppresses === 'nothing') return state;
  switch (event.type) {
    case 'bounced':
      return learnBounce(state, event, policy);
    case 'complained':
      return learnComplaint(state, event, policy);
    case 'unsubscribed':
      return learnSubscription(state, event, entryOf(event, policy), 'unsubscribes');
    case 'subscribed':
      if (isTooOld(event)) return state;
      return learnSubscription(state, event, liftingEntryOf(event, policy), 'subscribes');
    case 'delivered':
      return learnDelivery(state, event, policy);
    default:
      return state;
  }
}

/** Too old to be believed: when it happened is not known, so it cannot be said to be later than anything. */
const isTooOld = ({ occurred_at, occurred_at_source, received_at }: EmailEvent) =>
  occurred_at_source === 'bounded' && occurred_at < received_at;

function learnBounce(state: RecipientState, event: EmailEvent, policy: SourcePolicy): RecipientState {
  const name = entryOf(event, policy);
  if (event.bounce_class === 'hard') {
    const evidence = evidenceOf(event, event.diagnostic);
    return withEntry(state, name, (entry) => {
      const hard_bounces = select(entry.hard_bounces, evidence, FOR_GOOD);
      return hard_bounces === entry.hard_bounces ? entry : { ...entry, hard_bounces };
    });
  }
  if (event.bounce_class !== 'soft' || event.occurred_at <= deliveredAt(state, name)) return state;
  return withEntry(state, name, (entry) => learnSoftBounce(entry, event));
}

function learnSoftBounce(entry: AccountState, event: EmailEvent): AccountState {
  const found = evidenceOf(event, event.diagnostic);
  // The dedupe window ends some day: an event that is replayed later must not count again.
  const known = entry.soft_bounces.find(
    ({ event_id }) => event_id === event.event_id || event.known_as.includes(event_id),
  );
  if (known && byTime(known, found) <= 0) return entry;
  const others = entry.soft_bounces.filter((bounce) => bounce !== known);
  const soft_bounces = [...others, found].sort(byTime).slice(-SOFT_BOUNCES_KEPT);
  return soft_bounces.includes(found) ? { ...entry, soft_bounces } : entry;
}

function learnComplaint(state: RecipientState, event: EmailEvent, policy: SourcePolicy): RecipientState {
  // "not-spam" is a recipient taking the message out of the spam folder.
  if (event.feedback_type === 'not-spam') return state;
  const evidence = evidenceOf(event, event.feedback_type);
  return withEntry(state, entryOf(event, policy), (entry) => {
    const complaints = select(entry.complaints, evidence, FOR_GOOD);
    return complaints === entry.complaints ? entry : { ...entry, complaints };
  });
}

function learnSubscription(
  state: RecipientState,
  event: EmailEvent,
  name: string,
  kind: 'unsubscribes' | 'subscribes',
): RecipientState {
  const evidence = evidenceOf(event, event.method);
  return withEntry(state, name, (entry) =>
    withScope(entry, scopeOf(event.scope ?? 'all'), (scope) => {
      const selected = select(scope[kind], evidence, UNTIL_LATER);
      return selected === scope[kind] ? scope : { ...scope, [kind]: selected };
    }),
  );
}

function learnDelivery(state: RecipientState, event: EmailEvent, policy: SourcePolicy): RecipientState {
  // Of a delivery, which comes most of all, only the time is kept, so it cannot be known afterwards which source reported it.
  if (isTooOld(event) || (state.words.length > 0 && isTakenBack(state, event))) return state;
  const { occurred_at: at } = event;
  const name = liftingEntryOf(event, policy);
  const later = withDelivery(state, name, at);
  return later.accounts.some(({ soft_bounces }) => soft_bounces.length > 0)
    ? withoutEndedRuns(later, at, name, nameOf(event.source))
    : later;
}

const isTakenBack = ({ words }: RecipientState, { occurred_at: at, received_at, source }: EmailEvent) =>
  isRetracted(words, { at, received_at, source: nameOf(source) });

const withDelivery = (state: RecipientState, name: string, at: number) =>
  withEntry(state, name, (entry) =>
    at <= (entry.delivered_at ?? -Infinity) ? entry : { ...entry, delivered_at: at },
  );

/** A source that was given an account since then still speaks for what it said itself before. */
function withoutEndedRuns(state: RecipientState, at: number, name: string, source: string): RecipientState {
  let result = state;
  for (const { account } of state.accounts) {
    const isOwn = name === EVERYONE || accountOf(account) === accountOf(name);
    const isOver = (bounce: Evidence) => bounce.at <= at && (isOwn || bounce.source === source);
    result = withEntry(result, account, (entry) => {
      const soft_bounces = entry.soft_bounces.filter((bounce) => !isOver(bounce));
      return soft_bounces.length === entry.soft_bounces.length ? entry : { ...entry, soft_bounces };
    });
  }
  return result;
}

/** Latest delivery that ends runs of soft bounces of an entry. */
function deliveredAt(state: RecipientState, name: string): number {
  let latest = -Infinity;
  for (const { account, delivered_at } of state.accounts) {
    if (account === EVERYONE || accountOf(account) === accountOf(name))
      latest = Math.max(latest, delivered_at ?? -Infinity);
  }
  return latest;
}
