import type { InputRecord } from '@email-events/core';
import { rawRecord } from './records.ts';

/** A small request that would make very many events, as an attacker sends who knows the secret. */
export interface Oversized {
  readonly what: string;
  readonly record: InputRecord;
  /** Of its one dead letter. */
  readonly code: string;
}

const many = <T>(count: number, make: (i: number) => T) => Array.from({ length: count }, (_, i) => make(i));
const TIME = '2026-01-01T00:00:00.000Z';
const address = (i: number) => `u${i}@example.com`;

const of = (what: string, esp: string, body: unknown, code: string): Oversized => ({
  ...{ what, code },
  record: rawRecord(body, {}, { esp, headers: { 'svix-id': 'msg_1' } }),
});

export function oversizedRequests(): readonly Oversized[] {
  return [
    of(
      '200,000 items that are none',
      'sendgrid',
      many(200_000, () => 0),
      'NORMALIZE_TOO_MANY_ITEMS',
    ),
    of(
      'addressees, each with a long subject',
      'resend',
      resend(20_000, 400_000),
      'NORMALIZE_OUTPUT_TOO_LARGE',
    ),
    of('addressees with next to nothing', 'resend', resend(20_000, 0), 'NORMALIZE_TOO_MANY_EVENTS'),
    of('contacts by lists', 'brevo', brevo(5_000, 5_000), 'NORMALIZE_OUTPUT_TOO_LARGE'),
    of('complainants, each with all of the complaint', 'ses', ses(3_000), 'NORMALIZE_OUTPUT_TOO_LARGE'),
    of('rejections of a message to many', 'mailgun', mailgun(10_000), 'NORMALIZE_OUTPUT_TOO_LARGE'),
    of(
      'data by details by addressees',
      'zeptomail',
      zeptomail(100, 100, 1_000),
      'NORMALIZE_OUTPUT_TOO_LARGE',
    ),
    of('details without time', 'zeptomail', zeptomail(1, 8_000, 1), 'NORMALIZE_OUTPUT_TOO_LARGE'),
    of('messages that share much', 'zeptomail', sharing(10_000, 10_000), 'NORMALIZE_BODY_UNREADABLE'),
  ];
}

function resend(addressees: number, subject: number): unknown {
  const data = {
    email_id: 'e',
    from: 'a@example.com',
    to: many(addressees, address),
    subject: 's'.repeat(subject),
  };
  return { type: 'email.sent', created_at: TIME, data };
}

function brevo(contacts: number, lists: number): unknown {
  return {
    event: 'list_addition',
    email: many(contacts, address),
    list_id: many(lists, String),
    ts_event: 1_767_225_600,
  };
}

function ses(recipients: number): unknown {
  const mail = {
    messageId: 'm',
    source: 'a@example.com',
    timestamp: TIME,
    destination: many(recipients, address),
  };
  const complainedRecipients = many(recipients, (i) => ({ emailAddress: address(i) }));
  const message = {
    eventType: 'Complaint',
    mail,
    complaint: { complainedRecipients, timestamp: TIME, feedbackId: 'f' },
  };
  const id = { MessageId: 'n', Timestamp: TIME, TopicArn: 'arn:aws:sns:eu-west-1:1:t' };
  return { Type: 'Notification', ...id, Message: JSON.stringify(message) };
}

function mailgun(addressees: number): unknown {
  const headers = { to: many(addressees, address).join(','), 'message-id': 'm', subject: 's'.repeat(1_000) };
  return {
    signature: {},
    'event-data': { event: 'rejected', id: 'i', timestamp: 1_767_225_600, message: { headers } },
  };
}

function zeptomail(data: number, details: number, addressees: number): unknown {
  const to = many(addressees, (i) => ({ email_address: { address: address(i) } }));
  const event_data = many(data, () => ({
    object: 'email_open',
    details: many(details, (i) => ({ ip: `${i}` })),
  }));
  const email_info = { to, subject: 's', processed_time: TIME };
  return { event_name: ['email_open'], event_message: [{ request_id: null, email_info, event_data }] };
}

function sharing(messages: number, fields: number): unknown {
  return {
    ...Object.fromEntries(many(fields, (i) => [`k${i}`, 0])),
    event_message: many(messages, () => ({})),
  };
}
