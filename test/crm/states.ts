import type { SinkRecord } from '@email-events/core';
import { type Suppression, type SuppressionReason, topics } from '@email-events/schemas';

/** What happens to a recipient, with its weight: as often as not it is the same again. */
const EVENTS = [
  ['hard_bounce', 4],
  ['complaint', 2],
  ['unsubscribe', 4],
  ['soft_bounces', 1],
  ['manual', 1],
  ['stream', 2],
  ['resubscribe', 2],
  ['lift', 1],
] as const;

type EventName = (typeof EVENTS)[number][0];

const STREAM = 'newsletter';
const SINCE = Date.UTC(2026, 10, 1);

export interface LogOptions {
  readonly recipients: number;
  readonly states: number;
  /** Share of the records that are older ones once more, as from a replay. */
  readonly stale: number;
}

/** Records of email.suppressions, as `events` writes them: each the whole state of a recipient, with a revision that grows. */
export function stateLog(
  random: () => number,
  { recipients, states, stale }: LogOptions,
): SinkRecord<Suppression>[] {
  const reasons = new Map<string, readonly SuppressionReason[]>();
  const log: SinkRecord<Suppression>[] = [];
  for (let place = 0; place < states; place += 1) {
    const again = log[Math.floor(random() * log.length)];
    if (again && random() < stale) {
      log.push(again);
      continue;
    }
    const recipient = addressOf(Math.floor(random() * recipients));
    const event = drawn(random);
    const now = after(event, reasons.get(recipient) ?? [], place);
    reasons.set(recipient, now);
    const value = {
      ...{ recipient, suppressed: now.some(({ scope }) => scope === 'all'), reasons: [...now] },
      ...{ changed_at: SINCE + place, event_id: `event-${place}`, revision: SINCE + place },
    };
    log.push({ topic: topics.suppressions, key: recipient, value, timestamp: SINCE + place, attempts: 0 });
  }
  return log;
}

/** States of recipients who are in no log, the first of whom is at this place. */
export function newcomers(place: number, count: number): SinkRecord<Suppression>[] {
  return Array.from({ length: count }, (_, i) => {
    const recipient = `newcomer-${place + i}@example.com`;
    const value = {
      ...{ recipient, suppressed: true, reasons: [...after('hard_bounce', [], place + i)] },
      ...{ changed_at: SINCE, event_id: `event-${place + i}`, revision: SINCE + place + i },
    };
    return { topic: topics.suppressions, key: recipient, value, timestamp: SINCE, attempts: 0 };
  });
}

export const addressOf = (index: number): string => `person-${index}@example.com`;

function drawn(random: () => number): EventName {
  let left = random() * EVENTS.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [name, weight] of EVENTS) {
    left -= weight;
    if (left < 0) return name;
  }
  return EVENTS[0][0];
}

/** A resubscription takes back an unsubscription and nothing else; an operator takes back everything. */
function after(
  event: EventName,
  before: readonly SuppressionReason[],
  place: number,
): readonly SuppressionReason[] {
  if (event === 'lift') return [];
  if (event === 'resubscribe') return before.filter(({ reason }) => reason !== 'unsubscribe');
  const [reason, scope] = event === 'stream' ? (['unsubscribe', STREAM] as const) : ([event, 'all'] as const);
  if (before.some((one) => one.reason === reason && one.scope === scope)) return before;
  const from = { esp: 'postmark', source: 'postmark', account: null, event_id: `event-${place}` };
  return [...before, { reason, scope, since: SINCE + place, detail: '550 5.1.1 no such user', ...from }];
}

/** What a CRM must come to: of each recipient the state with the highest revision. */
export function newestStates(log: readonly SinkRecord<Suppression>[]): Map<string, Suppression> {
  const newest = new Map<string, Suppression>();
  for (const { value } of log) {
    if (value && value.revision >= (newest.get(value.recipient)?.revision ?? 0))
      newest.set(value.recipient, value);
  }
  return newest;
}
