import { type KafkaSettings, type ReadRecord, readTopic } from '@email-events/core';
import type { Answer } from '@email-events/dev/simulate';
import {
  type Codec,
  type Decoder,
  type EmailEvent,
  EVENT_TYPES,
  eventTopics,
  topics,
} from '@email-events/schemas';
import type { Seen } from './visibility.ts';

/**
 * Watches the typed topics as a consumer of committed records would, from before the first event is sent. The time is taken once the record
 * is in hand. Sender and reader share this process's clock.
 */
export class TypedVisibility {
  readonly #arrived = new Map<string, number[]>();
  readonly #intended = new Map<string, number>();
  readonly #over = new AbortController();
  /** By topic. */
  readonly #decoders: ReadonlyMap<string, Decoder<EmailEvent>>;
  #reading: Promise<void> = Promise.resolve();

  constructor(codec: Codec) {
    this.#decoders = new Map(EVENT_TYPES.map((type) => [topics.events(type), codec.decoder(type)]));
  }

  /** Resolves when nothing that is written from now on is missed. */
  async start(kafka: KafkaSettings): Promise<void> {
    const started = Promise.withResolvers<void>();
    this.#reading = readTopic(kafka, {
      ...{ topics: eventTopics, from: 'end', follow: true, signal: this.#over.signal },
      onStart: () => started.resolve(),
      onRecord: (record) => this.#take(record, Date.now()),
    });
    // What ends it early is told by `stop`.
    this.#reading.catch(() => {});
    await Promise.race([started.promise, this.#reading]);
  }

  /** Tells of a request that was acknowledged. */
  acknowledged({ requestId, intendedAt }: Answer): void {
    if (requestId !== null) this.#intended.set(requestId, intendedAt);
  }

  /** Ends the watching. The events of acknowledged requests that it has seen. */
  async stop(): Promise<Seen[]> {
    this.#over.abort();
    await this.#reading;
    return [...this.#intended].flatMap(([requestId, intendedAt]) =>
      (this.#arrived.get(requestId) ?? []).map((at) => ({ intendedAt, latencyMs: at - intendedAt })),
    );
  }

  async #take({ topic, value }: ReadRecord, at: number): Promise<void> {
    const decoder = this.#decoders.get(topic);
    if (value === null || !decoder) throw new Error(`${topic} has a record that is no event`);
    await decoder.load([value]);
    const { request_id: requestId } = decoder.decode(value);
    const times = this.#arrived.get(requestId);
    if (times) times.push(at);
    else this.#arrived.set(requestId, [at]);
  }
}
