import type { EmailDelivered, EmailEvent } from './generated/types.gen.ts';

/** A delivered event as ESPs send them, for tests. */
export function delivered(index = 0): EmailDelivered {
  return {
    event_id: index.toString(16).padStart(32, 'a'),
    occurred_at: 1_760_000_000_000 + index,
    occurred_at_source: 'esp',
    occurred_at_said: null,
    received_at: 1_760_000_000_123 + index,
    esp: 'sendgrid',
    source: 'sendgrid-main',
    account: null,
    esp_event_type: 'delivered',
    esp_event_id: `c2VuZGdyaWRfaW50ZXJuYWxfZXZlbnRf${index}`,
    esp_message_id: '14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0',
    message_id: 'abc123@mail.example.com',
    recipient: `user${index}@example.com`,
    recipient_domain: 'example.com',
    sender: 'news@shop.example',
    subject: null,
    campaign: 'spring-sale',
    variant: 'A',
    stream: null,
    tags: ['promo', 'spring'],
    metadata: { user_id: '12345', order: 'A-77' },
    request_id: '0199b7a0-1111-7222-8333-444455556666',
    raw_partition: 3,
    raw_offset: 1_234_567 + index,
    item_index: index,
    smtp_response: '250 2.0.0 OK 1760000000 x12-20020a1709027c0c00b0',
    remote_mta: 'mx.example.com',
  };
}

const absent = {
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

export const normalized = (index = 0): EmailEvent => ({
  type: 'delivered',
  ...delivered(index),
  ...absent,
  known_as: [],
});
