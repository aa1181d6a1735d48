import { findAdapter, normalizeRequest, toEmailEvent } from '@email-events/esps';
import { type EmailEvent, type NormalizedBatch, partitionOf, topics } from '@email-events/schemas';
import type { Pipeline } from '../harness/pipeline.ts';

/** What leaves one topic of Customer.io and stays on another. */
export const optOut = (name: string, event_id: string) => ({
  event_id,
  object_type: 'customer',
  metric: 'cio_subscription_preferences_changed',
  timestamp: Math.floor(Date.now() / 1_000) - 60,
  data: {
    identifiers: { email: `${name}@example.com` },
    content: JSON.stringify({ topics: { topic_7: false, topic_8: true } }),
  },
});

/** Its first event as version 1 of the mapping made it, on the way to `events`; its id. */
export async function emitAsOther(
  world: Pipeline,
  item: object,
  name: string,
  request_id: string,
): Promise<string[]> {
  const adapter = findAdapter('customerio');
  if (!adapter) throw new Error('there is no adapter');
  const body = Buffer.from(JSON.stringify(item));
  const now = Date.now();
  const request = { method: 'POST', url: '/', headers: {}, body, receivedAt: now };
  const origin = { esp: 'customerio', source: 'main', request_id, received_at: now, item_index: 0 };
  const made = normalizeRequest(adapter, request).results.flatMap((result) =>
    'events' in result
      ? result.events.map((event) => toEmailEvent(event, { ...origin, raw_partition: 0, raw_offset: 0 }))
      : [],
  );
  const events = made.slice(0, 1).map((event) => ({
    ...event,
    ...{
      type: 'other',
      event_id: event.known_as[0] ?? '',
      known_as: [],
      payload: '{}',
      scope: null,
      method: null,
    },
  })) as EmailEvent[];
  const encoder = await world.codec.encoder<NormalizedBatch>(topics.normalized, 'normalized');
  const partition = partitionOf(`${name}@example.com`, world.config.topics.partitions);
  await world.produce(topics.normalized, [{ partition, value: encoder.encode({ events, actions: [] }) }]);
  return events.map(({ event_id }) => event_id);
}
