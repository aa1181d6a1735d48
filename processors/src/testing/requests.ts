import { encodeRawHeaders, type InputRecord, type RawRequest } from '@email-events/core';

export const RECEIVED_AT = Date.UTC(2026, 0, 2);
let items = 0;

/** An item as SendGrid sends it, with an id of its own. */
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
