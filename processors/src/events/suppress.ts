import type {
  EmailEvent,
  Evidence,
  RecipientState,
  ScopeState,
  Suppression,
  SuppressionReason,
} from '@email-events/schemas';

export interface SoftBounceRule {
  /** Consecutive soft bounces that suppress. */
  readonly threshold: number;
  readonly windowMs: number;
}

/**
 * Soft bounces remembered per recipient, so that a mailbox that never recovers stays bounded. That many without a
 * delivery suppress whatever the rule: otherwise the run that suppressed could be forgotten, which would re-enable.
 */
export const SOFT_BOUNCES_KEPT = 32;
/** Of what an ESP says about a bounce; all of it is in the typed event. */
const MAX_DETAIL = 500;

export const NO_STATE: RecipientState = {
  hard_bounce: null,
  complaint: null,
  subscriptions: [],
  soft_bounces: [],
  delivered_at: null,
  accounts: [],
  words: [],
  revision: 0,
  barrier: null,
};

/**
 * The recipient's state with one more event. The same object if it changes nothing. The result depends on the set of
 * events only, not on their order: every part is a minimum, a maximum or a bounded newest-first selection.
 */
export function learn(state: RecipientState, event: EmailEvent): RecipientState {
  switch (event.type) {
    case 'bounced':
      return learnBounce(state, event);
    case 'complained':
      return learnComplaint(state, event);
    case 'unsubscribed':
    case 'subscribed':
      return learnSubscription(state, event);
    case 'delivered':
      return learnDelivery(state, event.occurred_at);
    default:
      return state;
  }
}

/** Event types that say something about suppression; the state of the others' recipients need not be read. */
export const isTelling = ({ type }: EmailEvent) =>
  type === 'delivered' ||
  type === 'bounced' ||
  type === 'complained' ||
  type === 'unsubscribed' ||
  type === 'subscribed';

function learnBounce(state: RecipientState, event: EmailEvent): RecipientState {
  const evidence = evidenceOf(event, event.diagnostic);
  if (event.bounce_class === 'hard') {
    const hard_bounce = earlier(state.hard_bounce, evidence);
    return hard_bounce === state.hard_bounce ? state : { ...state, hard_bounce };
  }
  if (event.bounce_class !== 'soft' || evidence.at <= (state.delivered_at ?? -Infinity)) return state;
  // The dedupe window ends some day: an event that is replayed later must not count again.
  if (state.soft_bounces.some(({ event_id }) => event_id === evidence.event_id)) return state;
  const soft_bounces = [...state.soft_bounces, evidence].sort(byTime).slice(-SOFT_BOUNCES_KEPT);
  if (soft_bounces.length === state.soft_bounces.length && soft_bounces[0] === state.soft_bounces[0])
    return state;
  return { ...state, soft_bounces };
}

function learnComplaint(state: RecipientState, event: EmailEvent): RecipientState {
  // "not-spam" is a recipient taking the message out of the spam folder.
  if (event.feedback_type === 'not-spam') return state;
  const complaint = earlier(state.complaint, evidenceOf(event, event.feedback_type));
  return complaint === state.complaint ? state : { ...state, complaint };
}

function learnDelivery(state: RecipientState, at: number): RecipientState {
  if (at <= (state.delivered_at ?? -Infinity)) return state;
  const soft_bounces = state.soft_bounces.filter((bounce) => bounce.at > at);
  return { ...state, soft_bounces, delivered_at: at };
}

function learnSubscription(state: RecipientState, event: EmailEvent): RecipientState {
  const scope = event.scope ?? 'all';
  const known = state.subscriptions.find((entry) => entry.scope === scope);
  const before: ScopeState = known ?? { scope, unsubscribed: null, subscribed_at: null };
  const after =
    event.type === 'unsubscribed'
      ? { ...before, unsubscribed: later(before.unsubscribed, evidenceOf(event, event.method)) }
      : { ...before, subscribed_at: Math.max(before.subscribed_at ?? -Infinity, event.occurred_at) };
  if (after.unsubscribed === before.unsubscribed && after.subscribed_at === before.subscribed_at)
    return state;
  const others = state.subscriptions.filter((entry) => entry.scope !== scope);
  const subscriptions = [...others, after].sort((a, b) => (a.scope < b.scope ? -1 : 1));
  return { ...state, subscriptions };
}

/** Upper bound of what the state takes in a record, bytes. */
export function sizeOf({ subscriptions, soft_bounces }: RecipientState): number {
  const scopes = subscriptions.reduce((sum, { scope }) => sum + 3 * scope.length + MAX_EVIDENCE_BYTES, 0);
  return scopes + (soft_bounces.length + 2) * MAX_EVIDENCE_BYTES;
}
const MAX_EVIDENCE_BYTES = 3 * MAX_DETAIL + 500;

/** What the state means: the reasons that are active, in a fixed order. */
export function reasonsOf(state: RecipientState, rule: SoftBounceRule): SuppressionReason[] {
  const reasons: SuppressionReason[] = [];
  const add = (reason: SuppressionReason['reason'], scope: string, evidence: Evidence | null) => {
    if (!evidence) return;
    const { at, received_at: _, ...rest } = evidence;
    reasons.push({ reason, scope, since: at, ...rest, account: null });
  };
  add('hard_bounce', 'all', state.hard_bounce);
  add('complaint', 'all', state.complaint);
  add('soft_bounces', 'all', suppressingSoftBounce(state.soft_bounces, rule));
  for (const { scope, unsubscribed, subscribed_at } of state.subscriptions) {
    // At the same moment the unsubscribe wins: sending nothing is the safe mistake.
    if ((subscribed_at ?? -Infinity) <= (unsubscribed?.at ?? -Infinity))
      add('unsubscribe', scope, unsubscribed);
  }
  return reasons;
}

/** The bounce that completes the first run of `threshold` within the window; else the last of as many as are kept. */
function suppressingSoftBounce(
  bounces: readonly Evidence[],
  { threshold, windowMs }: SoftBounceRule,
): Evidence | null {
  for (let last = threshold - 1; last < bounces.length; last++) {
    const [first, completing] = [bounces[last - threshold + 1], bounces[last]];
    if (first && completing && completing.at - first.at <= windowMs) return completing;
  }
  return bounces[SOFT_BOUNCES_KEPT - 1] ?? null;
}

/** The record for email.suppressions if the event changed what is suppressed, else undefined. */
export function suppressionChange(
  recipient: string,
  before: RecipientState,
  after: RecipientState,
  event: EmailEvent,
  rule: SoftBounceRule,
): Suppression | undefined {
  if (before === after) return undefined;
  const reasons = reasonsOf(after, rule);
  if (sameReasons(reasonsOf(before, rule), reasons)) return undefined;
  return {
    recipient,
    suppressed: reasons.some(({ scope }) => scope === 'all'),
    reasons,
    changed_at: event.occurred_at,
    event_id: event.event_id,
    revision: 0,
  };
}

function sameReasons(a: readonly SuppressionReason[], b: readonly SuppressionReason[]): boolean {
  return (
    a.length === b.length &&
    a.every(
      (reason, i) =>
        reason.event_id === b[i]?.event_id && reason.reason === b[i]?.reason && reason.scope === b[i]?.scope,
    )
  );
}

function evidenceOf(
  { occurred_at, received_at, esp, source, event_id }: EmailEvent,
  detail: string | null,
): Evidence {
  return { at: occurred_at, esp, source, event_id, detail: detail && shortened(detail), received_at };
}

/** A character that is cut in two becomes a replacement character, since half of one is no text. */
const shortened = (text: string) =>
  text.length > MAX_DETAIL ? `${text.slice(0, MAX_DETAIL).toWellFormed()}…` : text;

function byTime(a: Evidence, b: Evidence): number {
  if (a.at !== b.at) return a.at - b.at;
  if (a.event_id === b.event_id) return 0;
  return a.event_id < b.event_id ? -1 : 1;
}

function earlier(known: Evidence | null, found: Evidence): Evidence {
  return known === null || byTime(found, known) < 0 ? found : known;
}

function later(known: Evidence | null, found: Evidence): Evidence {
  return known === null || byTime(found, known) > 0 ? found : known;
}
