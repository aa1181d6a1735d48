import type { schemas } from './generated/schemas.gen.ts';
import type {
  EmailBounced,
  EmailClicked,
  EmailComplained,
  EmailDeferred,
  EmailDelivered,
  EmailDropped,
  EmailOpened,
  EmailOther,
  EmailQueued,
  EmailSubscribed,
  EmailUnsubscribed,
} from './generated/types.gen.ts';

/** Canonical event types, in the order of a message's life. One topic and one schema each. */
export const EVENT_TYPES = [
  'queued',
  'delivered',
  'deferred',
  'bounced',
  'dropped',
  'opened',
  'clicked',
  'complained',
  'unsubscribed',
  'subscribed',
  'other',
] as const satisfies readonly (keyof typeof schemas)[];

export type EventType = (typeof EVENT_TYPES)[number];

/** The record that the topic of a type carries. */
export interface EventOf {
  queued: EmailQueued;
  delivered: EmailDelivered;
  deferred: EmailDeferred;
  bounced: EmailBounced;
  dropped: EmailDropped;
  opened: EmailOpened;
  clicked: EmailClicked;
  complained: EmailComplained;
  unsubscribed: EmailUnsubscribed;
  subscribed: EmailSubscribed;
  other: EmailOther;
}

export function isEventType(text: string): text is EventType {
  return (EVENT_TYPES as readonly string[]).includes(text);
}
