import type { PipelineConfig } from '@email-events/cli/services';
import { type OutputRecord, TransactionalWriter } from '@email-events/core';
import {
  Codec,
  type EmailEvent,
  type Encoder,
  type EventType,
  partitionOf,
  recipientKey,
  topics,
} from '@email-events/schemas';

/** The events of messages, in the shares that mailings have. */
const LIFE: readonly EventType[] = [
  ...(Array(8).fill('queued') as EventType[]),
  ...(Array(7).fill('delivered') as EventType[]),
  ...(Array(3).fill('opened') as EventType[]),
  'clicked',
  'bounced',
];
const PER_SEND = 2_000;
const START_AT = Date.UTC(2026, 8, 1);
const SPREAD_MS = 30 * 86_400_000;

/** Writes that many typed events, in transactions as `events` does. Resolves when they are committed. */
export function produceTypedEvents(config: PipelineConfig, count: number, seed = 0): Promise<void> {
  return produceEvents(config, count, (n) => eventOf(seed + n));
}

/** The same with events of the caller's, by number from 0. They are of the types that `eventOf` gives. */
export async function produceEvents(
  config: PipelineConfig,
  count: number,
  nth: (n: number) => EmailEvent,
): Promise<void> {
  // kafkajs's own producer loses and repeats records on several brokers.
  const writer = await TransactionalWriter.open(config.kafka, `typed-events-${crypto.randomUUID()}`);
  const recordOf = await typedRecords(config);
  for (let from = 0; from < count; from += PER_SEND) {
    const outputs: TypedRecord[] = [];
    for (let n = from; n < Math.min(count, from + PER_SEND); n++) outputs.push(recordOf(nth(n)));
    await writer.write(outputs);
  }
  await writer.close();
}

export type TypedRecord = OutputRecord & { readonly key: string; readonly value: Buffer };

/** The record that `events` writes of an event of these types. */
export async function typedRecords(config: PipelineConfig): Promise<(event: EmailEvent) => TypedRecord> {
  const codec = new Codec({ url: config.registry.url });
  const encoders = new Map<EventType, Encoder<EmailEvent>>();
  for (const type of new Set(LIFE)) encoders.set(type, await codec.encoder(topics.events(type), type));
  return (event) => {
    const encoder = encoders.get(event.type);
    if (!encoder) throw new Error(`no event of ${event.type} is written here`);
    const key = recipientKey(event.recipient);
    const partition = partitionOf(key, config.topics.partitions);
    return { topic: topics.events(event.type), key, value: encoder.encode(event), partition };
  };
}

export function eventOf(n: number): EmailEvent {
  const type = LIFE[n % LIFE.length] ?? 'queued';
  const message = Math.floor(n / 4);
  const at = START_AT + ((n * 7_919) % SPREAD_MS);
  const domain = ['gmail.com', 'outlook.com', 'yahoo.com', 'shop.example', 'uni.example'][message % 5] ?? '';
  const absent = Object.fromEntries(ADDED.map((name) => [name, null]));
  return {
    ...(absent as unknown as EmailEvent),
    type,
    event_id: n.toString(16).padStart(32, '0'),
    occurred_at: at,
    received_at: at + 850,
    esp: ['sendgrid', 'mailgun', 'ses', 'postmark'][message % 4] ?? 'sendgrid',
    source: 'main',
    esp_event_type: type,
    esp_event_id: `c2VuZGdyaWRfaW50ZXJuYWxfZXZlbnRf${n}`,
    esp_message_id: `14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.${message}`,
    message_id: `${message}@mail.shop.example`,
    recipient: `recipient${message % 200_000}@${domain}`,
    recipient_domain: domain,
    sender: 'news@shop.example',
    subject: `Offers of week ${message % 40}`,
    campaign: `week-${message % 40}`,
    variant: message % 2 === 0 ? 'A' : 'B',
    stream: 'newsletter',
    tags: ['newsletter', 'autumn'],
    metadata: { order: `A-${message}`, segment: 'returning' },
    request_id: '0199b7a0-1111-7222-8333-444455556666',
    raw_partition: n % 6,
    raw_offset: n,
    item_index: n % 100,
    ...addedOf(type, message),
  };
}

const ADDED = [
  ...['smtp_response', 'remote_mta', 'attempt', 'smtp_code', 'enhanced_status', 'diagnostic', 'bounce_class'],
  ...['bounce_category', 'drop_reason', 'user_agent', 'ip', 'is_machine', 'url', 'feedback_type', 'scope'],
  ...['method', 'payload'],
];

function addedOf(type: EventType, message: number): Partial<EmailEvent> {
  const client = {
    user_agent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36',
    ip: `203.0.113.${message % 250}`,
    is_machine: message % 6 === 0,
  };
  switch (type) {
    case 'delivered':
      return {
        smtp_response: '250 2.0.0 OK 1760000000 x12-20020a1709027c0c00b0',
        remote_mta: 'mx.example.com',
      };
    case 'opened':
      return client;
    case 'clicked':
      return { ...client, url: `https://shop.example/offer/${message % 500}?utm_source=mail` };
    case 'bounced':
      return {
        bounce_class: message % 3 === 0 ? 'soft' : 'hard',
        bounce_category: 'invalid_mailbox',
        smtp_code: 550,
        enhanced_status: '5.1.1',
        diagnostic: '550 5.1.1 The email account that you tried to reach does not exist.',
      };
    default:
      return {};
  }
}
