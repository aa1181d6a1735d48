import { type EmailEvent, recipientDomain } from '@email-events/schemas';
import type { EspEvent } from './adapter.ts';
import { type IdentityOrigin, idsOf } from './identity.ts';

/** Where an event came from: every field leads back to the request's bytes. */
export interface Origin extends IdentityOrigin {
  readonly source: string;
  readonly request_id: string;
  /** Epoch milliseconds. */
  readonly received_at: number;
  readonly raw_partition: number;
  readonly raw_offset: number;
  readonly item_index: number;
}

/**
 * The pipeline's event: what the adapter said, where it came from, and its id.
 * One literal with every field, so that all events have one hidden class: everything behind this is a hot path.
 */
export function toEmailEvent(
  event: EspEvent,
  origin: Origin,
  bounds: TimeBounds = DEFAULT_TIME_BOUNDS,
): EmailEvent {
  const { event_id, known_as } = idsOf(event, origin);
  const time = eventTime(event.occurred_at, origin.received_at, bounds);
  return {
    event_id,
    type: event.type,
    occurred_at: time.occurred_at,
    occurred_at_source: time.occurred_at_source,
    occurred_at_said: time.occurred_at_said,
    received_at: origin.received_at,
    esp: origin.esp,
    source: origin.source,
    account: origin.account ?? null,
    esp_event_type: event.esp_event_type,
    esp_event_id: event.esp_event_id ?? null,
    esp_message_id: event.esp_message_id ?? null,
    message_id: event.message_id ?? null,
    recipient: event.recipient,
    recipient_domain: recipientDomain(event.recipient),
    sender: event.sender ?? null,
    subject: event.subject ?? null,
    campaign: event.campaign ?? null,
    variant: event.variant ?? null,
    stream: event.stream ?? null,
    tags: event.tags ?? [],
    metadata: event.metadata ?? {},
    request_id: origin.request_id,
    raw_partition: origin.raw_partition,
    raw_offset: origin.raw_offset,
    item_index: origin.item_index,
    smtp_response: event.smtp_response ?? null,
    remote_mta: event.remote_mta ?? null,
    attempt: event.attempt ?? null,
    smtp_code: event.smtp_code ?? null,
    enhanced_status: event.enhanced_status ?? null,
    diagnostic: event.diagnostic ?? null,
    bounce_class: event.bounce_class ?? null,
    bounce_category: event.bounce_category ?? null,
    drop_reason: event.drop_reason ?? null,
    user_agent: event.user_agent ?? null,
    ip: event.ip ?? null,
    is_machine: event.is_machine ?? null,
    url: event.url ?? null,
    feedback_type: event.feedback_type ?? null,
    scope: event.scope ?? null,
    method: event.method ?? null,
    payload: event.payload ?? null,
    known_as,
  };
}

/** How far from the time of receipt a time may be to be believed. */
export interface TimeBounds {
  readonly maxFutureMinutes: number;
  readonly maxAgeDays: number;
}

/** Clocks of servers differ by minutes at most; no ESP repeats or replays what is older than a year. */
export const DEFAULT_TIME_BOUNDS: TimeBounds = { maxFutureMinutes: 10, maxAgeDays: 400 };

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

type EventTime = Pick<EmailEvent, 'occurred_at' | 'occurred_at_source' | 'occurred_at_said'>;

/**
 * When an event happened, as far as it is believed. A clock that is wrong must neither outlast every later event of a
 * recipient nor open a separate partition in the tables; and an event whose time cannot be read is still an event.
 * `told` as in EspEvent, `receivedAt` in epoch milliseconds. Pure: a replay gives the same.
 */
export function eventTime(told: EspEvent['occurred_at'], receivedAt: number, bounds: TimeBounds): EventTime {
  if (typeof told !== 'number')
    return { occurred_at: receivedAt, occurred_at_source: 'received', occurred_at_said: told.said };
  const earliest = receivedAt - bounds.maxAgeDays * DAY_MS;
  const latest = receivedAt + bounds.maxFutureMinutes * MINUTE_MS;
  if (told >= earliest && told <= latest)
    return { occurred_at: told, occurred_at_source: 'esp', occurred_at_said: null };
  return {
    // The latest that can be true is the receipt itself: what has not happened cannot be reported.
    occurred_at: told > latest ? receivedAt : earliest,
    occurred_at_source: 'bounded',
    occurred_at_said: new Date(told).toISOString(),
  };
}
