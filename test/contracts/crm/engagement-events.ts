import type { PipelineConfig } from '@email-events/cli/services';
import { createKafka, createLogger, groupLag } from '@email-events/core';
import { type Codec, type EmailOpened, topics } from '@email-events/schemas';
import { ENGAGEMENT_TOPICS, ENGAGEMENTS, type EngagementName, type Instants } from '@email-events/sink-crm';

export interface Happened {
  readonly who: string;
  readonly type: EngagementName;
  readonly at: number;
  readonly machine: boolean;
}

/** Any of the three, to anybody, at any second of a thousand: in no order. */
export function happened(
  random: () => number,
  addressOf: (index: number) => string,
  people: number,
): Happened {
  const type = ENGAGEMENTS[Math.floor(random() * ENGAGEMENTS.length)] ?? 'opened';
  return {
    ...{ who: addressOf(Math.floor(random() * people)), type },
    at: 1_760_000_000_000 + Math.floor(random() * 1_000) * 1_000,
    machine: type !== 'delivered' && random() < 0.2,
  };
}

/** What a CRM must hold in the end. */
export function newestOf(all: readonly Happened[]): Map<string, Instants> {
  const newest = new Map<string, { [N in EngagementName]?: number }>();
  for (const { who, type, at, machine } of all) {
    if (machine) continue;
    const of = newest.get(who) ?? {};
    newest.set(who, { ...of, [type]: Math.max(of[type] ?? 0, at) });
  }
  return newest;
}

/** As `events` emits them. */
export async function produceEvents(
  config: PipelineConfig,
  codec: Codec,
  all: readonly Happened[],
): Promise<void> {
  const producer = createKafka(config.kafka, 'test', log).producer();
  await producer.connect();
  for (const type of ENGAGEMENTS) {
    const topic = topics.events(type);
    const encoder = await codec.encoder<object>(topic, type);
    const messages = all
      .filter((one) => one.type === type)
      .map((one) => ({ key: one.who, value: encoder.encode(eventOf(one)), timestamp: String(Date.now()) }));
    if (messages.length > 0) await producer.send({ topic, messages });
  }
  await producer.disconnect();
}

/** Whether the group has committed all that there is. */
export async function withoutLag({ kafka }: PipelineConfig, group: string): Promise<boolean> {
  const lags = await groupLag(kafka, [{ group, topics: ENGAGEMENT_TOPICS }]);
  return lags.every(({ lag }) => Number(lag) === 0);
}

const log = createLogger('crm-engagement-test', 'silent');

/** Has what each of the three types needs; the codec leaves out what is not the type's. */
const eventOf = ({ who, at, machine }: Happened): EmailOpened & { [name: string]: unknown } => ({
  ...{ event_id: 'e'.repeat(32), occurred_at: at, occurred_at_source: 'esp', occurred_at_said: null },
  ...{ received_at: at + 100, esp: 'postmark', source: 'postmark', account: null, esp_event_type: 'as-is' },
  ...{ esp_event_id: null, esp_message_id: null, message_id: null, recipient: who },
  ...{ recipient_domain: 'example.com', sender: null, subject: null, campaign: null, variant: null },
  ...{
    stream: null,
    tags: [],
    metadata: {},
    request_id: 'r',
    raw_partition: 0,
    raw_offset: 0,
    item_index: 0,
  },
  ...{ user_agent: null, ip: null, is_machine: machine, url: null, smtp_response: null, remote_mta: null },
});
