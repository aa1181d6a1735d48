import { encodeRawHeaders, type InputRecord, type RawRequest } from '@email-events/core';
import type { EmailEvent, EventType } from '@email-events/schemas';

export const START = Date.UTC(2026, 0, 1);

const ABSENT = {
  esp_event_id: null,
  esp_message_id: null,
  message_id: null,
  sender: null,
  subject: null,
  campaign: null,
  variant: null,
  stream: null,
  smtp_response: null,
  remote_mta: null,
  attempt: null,
  smtp_code: null,
  enhanced_status: null,
  diagnostic: null,
  bounce_class: null,
  bounce_category: null,
  drop_reason: null,
  user_agent: null,
  ip: null,
  is_machine: null,
  url: null,
  feedback_type: null,
  scope: null,
  method: null,
  payload: null,
};

let made = 0;

/** An event of that type; every one has its own id unless told otherwise. */
export function eventOf(type: EventType, more: Partial<EmailEvent> = {}): EmailEvent {
  made++;
  const recipient = more.recipient ?? 'ann@example.com';
  return {
    ...ABSENT,
    event_id: made.toString(16).padStart(32, '0'),
    type,
    occurred_at: START + made,
    occurred_at_source: 'esp',
    occurred_at_said: null,
    received_at: START + made + 100,
    esp: 'sendgrid',
    source: 'main',
    account: null,
    esp_event_type: type,
    recipient,
    recipient_domain: recipient.slice(recipient.indexOf('@') + 1),
    tags: [],
    metadata: {},
    request_id: '0199b7a0-1111-7222-8333-444455556666',
    raw_partition: 0,
    raw_offset: made,
    item_index: 0,
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
