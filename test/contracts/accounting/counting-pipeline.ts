import { encodeRawHeaders, Registry, type Stage, silentLog } from '@email-events/core';
import { Lane, MemoryClient, MemoryKafka } from '@email-events/core/testing';
import {
  batchSettings,
  changelogCodec,
  deadLetterReport,
  decodeAll,
  decoderOf,
  EventsStage,
  encoderOf,
  measureEvents,
  measureNormalize,
  NormalizeStage,
  stateCodec,
  tokenSettings,
} from '@email-events/processors/testing';
import { type NormalizedBatch, topics } from '@email-events/schemas';

const AT = Date.UTC(2026, 0, 2);
export const NORMALIZE = 'normalize';
export const EVENTS = 'events';

interface Stages {
  readonly metrics: Registry;
  readonly create: () => Stage;
}

/** Both processors on a Kafka in memory with one partition, in turn, each time with stages of their own as after a restart. */
export class CountingPipeline {
  readonly kafka = new MemoryKafka();
  private readonly client = new MemoryClient(this.kafka);
  private readonly stateDir: string;
  private readonly items = new Map<string, number>();
  /** Epoch seconds. */
  ingressStartedAt = 1;
  private opened: { lane: Lane; metrics: Registry }[] = [];

  constructor(stateDir: string) {
    this.stateDir = stateDir;
  }

  /** As the ingress writes it. `ids`: of the events in it; one that is empty cannot be read. */
  request(source: string, ids: readonly string[], headers: { readonly [name: string]: Buffer } = {}): void {
    const items = ids.map((id) =>
      id === '' ? { id: 'bad' } : { id, type: 'delivered', occurred_at: AT, recipient: `${id}@example.com` },
    );
    this.kafka.produce(topics.raw, 0, {
      value: Buffer.from(JSON.stringify(items)),
      headers: {
        ...encodeRawHeaders({
          ...{ requestId: crypto.randomUUID(), source, esp: 'standard-webhooks', receivedAt: AT, url: '/' },
          ...{ method: 'POST', contentType: 'application/json', remoteAddress: null, headers: {} },
        }),
        ...headers,
      },
    });
    if (headers.replay === undefined) this.items.set(source, (this.items.get(source) ?? 0) + 1);
  }

  /** The batch without its first event, as its writer would have lost it. */
  async shortened(value: Buffer | null): Promise<Buffer> {
    const [batch] = await decodeAll<NormalizedBatch>('normalized', [value]);
    if (!batch) throw new Error('no batch');
    return encoderOf<NormalizedBatch>('normalized').encode({ ...batch, events: batch.events.slice(1) });
  }

  async run(...services: readonly string[]): Promise<void> {
    await Promise.all(this.opened.map(({ lane }) => lane.close()));
    this.opened = [];
    for (const [name, topic] of [
      [NORMALIZE, topics.raw],
      [EVENTS, topics.normalized],
    ] as const) {
      const { metrics, create } = name === NORMALIZE ? normalizeStages() : this.eventsStages();
      const lane = new Lane({
        client: this.client.partition(name, topic, 0),
        partition: 0,
        stage: create(),
      });
      await lane.open();
      this.opened.push({ lane, metrics });
      if (!services.includes(name)) continue;
      for (const record of this.kafka.committed(topic, 0, lane.position))
        await lane.process([record], record.offset + 1);
      await lane.process([], this.kafka.end(topic, 0));
    }
  }

  /** What the admin ports would tell, by service. `lost`: requests of each source that Kafka acknowledged and forgot. */
  async metrics({ lost = 0 } = {}): Promise<string[]> {
    const texts = await Promise.all(this.opened.map(({ metrics }) => metrics.metrics()));
    const lag = (group: string, topic: string) =>
      `email_events_topic_partitions{topic="${topic}"} 1\nemail_events_consumer_lag{topic="${topic}",partition="0"} ${this.kafka.end(topic, 0) - this.kafka.committedOffset(group, topic, 0)}`;
    const published = [...this.items].map(
      ([source, count]) => `email_events_ingress_published_records_total{source="${source}"} ${count + lost}`,
    );
    const ingress = [`process_start_time_seconds ${this.ingressStartedAt}`, ...published];
    return [
      ingress.join('\n'),
      `${texts[0]}\n${lag(NORMALIZE, topics.raw)}`,
      `${texts[1]}\n${lag(EVENTS, topics.normalized)}`,
    ];
  }

  async close(): Promise<void> {
    await Promise.all(this.opened.map(({ lane }) => lane.close()));
  }

  private eventsStages(): Stages {
    const metrics = new Registry();
    const context = {
      ...batchSettings(),
      stateDir: this.stateDir,
      identity: { clusterId: 'memory', application: 'accounting' },
      windowMs: 7 * 86_400_000,
      deadLetterPartitions: 1,
      decoder: decoderOf<NormalizedBatch>('normalized'),
      deadLetterEncoder: encoderOf('deadLetter'),
      changelogs: changelogCodec(),
      stateCodec: stateCodec(),
      restoreInTurn: (work: () => Promise<void>) => work(),
      ...measureEvents(metrics, silentLog),
    } as ConstructorParameters<typeof EventsStage>[0];
    return { metrics, create: () => new EventsStage(context) };
  }
}

function normalizeStages(): Stages {
  const metrics = new Registry();
  const context = {
    ...{ partitions: 1, deadLetterPartitions: 1, clock: Date.now, tokens: tokenSettings() },
    ...{ encoder: encoderOf('normalized'), deadLetterEncoder: encoderOf('deadLetter') },
    deadLetters: deadLetterReport(metrics, silentLog),
    ...measureNormalize(metrics),
  } as ConstructorParameters<typeof NormalizeStage>[0];
  return { metrics, create: () => new NormalizeStage(context) };
}
