import { encodeRawHeaders, type InputRecord, type RawRequest } from '@email-events/core';
import { toEmailEvent } from '@email-events/esps';
import type { EmailEvent, EventType } from '@email-events/schemas';

export const START = Date.UTC(2026, 0, 1);

let made = 0;

/** An event of that type; every one has its own id unless told otherwise. */
export function eventOf(type: EventType, more: Partial<EmailEvent> = {}): EmailEvent {
  made++;
  const at = START + made;
  const { recipient = 'ann@example.com' } = more;
  const origin = {
    esp: 'sendgrid',
    source: 'main',
    received_at: at + 100,
    request_id: '0199b7a0-1111-7222-8333-444455556666',
    raw_partition: 0,
    raw_offset: made,
    item_index: 0,
  };
  return {
    ...toEmailEvent({ type, esp_event_type: type, occurred_at: at, recipient, identity: [made] }, origin),
    event_id: made.toString(16).padStart(32, '0'),
    known_as: [],
    ...(type === 'bounced' ? { bounce_class: 'hard', bounce_category: 'other' } : {}),
    ...(type === 'unsubscribed' || type === 'subscribed' ? { scope: 'all' } : {}),
    ...(type === 'other' ? { payload: '{}' } : {}),
    ...more,
  };
}

export function recordOf(value: Buffer | null, more: Partial<InputRecord> = {}): InputRecord {
  return {
    topic: 'email.internal.normalized',
    partition: 0,
    offset: 0,
    key: null,
    value,
    headers: {},
    timestamp: START,
    ...more,
  };
}

export const RECEIVED_AT = Date.UTC(2026, 0, 2);
let items = 0;

/** An item as SendGrid sends it, each with another id. */
export function sendgridItem(event: string, more: { readonly [name: string]: unknown } = {}) {
  items++;
  return {
    email: 'ann@example.com',
    timestamp: 1_767_225_600 + items,
    event,
    sg_event_id: `c2VuZGdyaWQtZXZlbnQt${items}`,
    sg_message_id: 'message.filter0001.16648.5515E0B88.0',
    'smtp-id': '<message@mail.example.com>',
    ...more,
  };
}

/** A request as the ingress leaves it in email.raw. */
export function rawRecord(
  body: unknown,
  more: Partial<InputRecord> = {},
  request: Partial<RawRequest> = {},
): InputRecord {
  return {
    topic: 'email.raw',
    partition: 0,
    offset: 0,
    key: null,
    value: Buffer.from(JSON.stringify(body)),
    headers: encodeRawHeaders({
      requestId: '0199b7a0-1111-7222-8333-444455556666',
      source: 'main',
      esp: 'sendgrid',
      receivedAt: RECEIVED_AT,
      method: 'POST',
      url: '/webhooks/email-events/main',
      contentType: 'application/json',
      remoteAddress: null,
      headers: {},
      ...request,
    }),
    timestamp: RECEIVED_AT,
    ...more,
  };
}
