import type { PipelineConfig } from '@email-events/cli/services';
import { normalizeRecord } from '@email-events/processors';
import {
  Codec,
  createEncoder,
  type EmailEvent,
  EVENT_TYPES,
  type EventType,
  type NormalizedBatch,
  partitionOf,
  recipientKey,
  topics,
} from '@email-events/schemas';
import { HeldInput } from './held-input.ts';
import { EVENT_SCHEMA_ID, eventType } from './kafka-streams.ts';
import { type BatchLoad, BatchRequests, type RawMessage } from './requests.ts';

/** Lets one side have its input. */
type Release = () => Promise<void>;

/** Events that `normalize` comes to in one transaction of a full fetch, more or less: as many lie in a record of the internal topic. */
const EVENTS_A_TRANSACTION = 1_700;

/** The input of both sides, from the same requests. */
export class BatchInputs {
  private readonly config: PipelineConfig;
  private readonly requests: BatchRequests;
  private written = 0;

  constructor(config: PipelineConfig, load: BatchLoad) {
    this.config = config;
    this.requests = new BatchRequests(load);
  }

  /** For a peer that has seen nothing yet. */
  beginAnew(): void {
    this.requests.beginAnew();
  }

  /** Distinct events so far. */
  get distinct(): number {
    return this.requests.distinct;
  }

  /** Writes as many events for ours and for the peer, and says how to release each. */
  async hold(stages: 'both' | 'dedupe', peerTopic: string, events: number): Promise<[Release, Release]> {
    const { kafka } = this.config;
    const own = stages === 'both' ? topics.raw : topics.normalized;
    const inputs = [await HeldInput.begin(kafka, own), await HeldInput.begin(kafka, peerTopic)] as const;
    if (stages === 'both') await this.writeRaw(inputs, events);
    else await this.writeEvents(inputs, events);
    for (const input of inputs) await input.flush();
    const [ours, peer] = inputs;
    return [() => ours.release(), () => peer.release()];
  }

  private async writeRaw(inputs: readonly HeldInput[], events: number): Promise<void> {
    const { rawPartitions } = this.config.topics;
    for (const message of this.requests.take(events)) {
      const placed = { ...message, partition: this.written++ % rawPartitions };
      for (const input of inputs) await input.add(placed);
    }
  }

  /** In the same partitions: for ours in batches, as `normalize` writes them; for the peer one by one. */
  private async writeEvents([ours, peer]: readonly [HeldInput, HeldInput], events: number): Promise<void> {
    const { registry, topics: settings } = this.config;
    const codec = new Codec({ url: registry.url });
    const batches = await codec.encoder<NormalizedBatch>(topics.normalized, 'normalized');
    const single = createEncoder<EmailEvent>(EVENT_SCHEMA_ID, eventType());
    const byPartition = Array.from({ length: settings.partitions }, (): EmailEvent[] => []);
    const flush = async () => {
      for (const [partition, placed] of byPartition.entries()) {
        if (placed.length > 0)
          await ours.add({ partition, value: batches.encode({ events: placed.splice(0), actions: [] }) });
      }
    };
    let waiting = 0;
    for (const message of this.requests.take(events)) {
      for (const event of await normalized(message)) {
        const key = recipientKey(event.recipient);
        const partition = partitionOf(key, settings.partitions);
        byPartition[partition]?.push(event);
        await peer.add({ partition, key, value: single.encode(event) });
        waiting++;
      }
      if (waiting < EVENTS_A_TRANSACTION) continue;
      waiting = 0;
      await flush();
    }
    await flush();
  }
}

async function normalized({ value, headers }: RawMessage): Promise<readonly EmailEvent[]> {
  const record = { topic: topics.raw, partition: 0, offset: 0, key: null, value, headers, timestamp: 0 };
  const { events } = await normalizeRecord(record, { mayHaveFormerIds: () => false });
  return events;
}

export async function schemaIdsOf({ registry }: PipelineConfig): Promise<{ [T in EventType]: number }> {
  const codec = new Codec({ url: registry.url });
  const ids = await Promise.all(
    EVENT_TYPES.map(
      async (type) => [type, (await codec.encoder(topics.events(type), type)).schemaId] as const,
    ),
  );
  return Object.fromEntries(ids) as { [T in EventType]: number };
}
