import type { Kafka, Producer } from 'kafkajs';
import type { PipelineConfig } from '../config/index.ts';
import { PipelineError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { createKafka } from './client.ts';

export interface PublishRecord {
  readonly value: Buffer;
  readonly headers: { readonly [name: string]: Buffer };
}

/** Where a record ended up. */
export interface Published {
  readonly partition: number;
  readonly offset: number;
}

export interface RecordBatch {
  readonly partition: number;
  readonly records: readonly PublishRecord[];
}

/** A connection for the records of one topic. */
export interface RecordTransport {
  /**
   * Connects afresh, letting go of any earlier connection, and says which partitions have a leader (at least one).
   * Throws PipelineError: KAFKA_UNREACHABLE or KAFKA_TOPIC_MISSING.
   */
  open(): Promise<readonly number[]>;
  /** One produce request a broker. Resolves with each partition's first offset when all in-sync replicas have them. */
  send(batches: readonly RecordBatch[]): Promise<ReadonlyMap<number, number>>;
  close(): Promise<void>;
}

/** kafkajs, set up to fail soon: what to do next is decided by the group commit. */
export function kafkaTransport(
  settings: PipelineConfig['kafka'],
  service: string,
  topic: string,
  publishTimeoutMs: number,
  log: Logger,
): RecordTransport {
  const requestTimeout = Math.min(settings.requestTimeoutMs, publishTimeoutMs);
  const kafka = createKafka(settings, service, log, {
    requestTimeout,
    connectionTimeout: Math.min(settings.connectionTimeoutMs, 2_000),
    // One more try after fresh metadata carries it over a change of leader.
    retry: { initialRetryTime: 100, factor: 0, multiplier: 2, maxRetryTime: 500, retries: 1 },
  });
  return new KafkajsTransport(kafka, topic, requestTimeout);
}

class KafkajsTransport implements RecordTransport {
  readonly #kafka: Kafka;
  readonly #topic: string;
  readonly #timeout: number;
  #producer: Producer | undefined;

  constructor(kafka: Kafka, topic: string, timeout: number) {
    this.#kafka = kafka;
    this.#topic = topic;
    this.#timeout = timeout;
  }

  async open(): Promise<readonly number[]> {
    this.#letGo();
    const partitions = await this.#partitions();
    const producer = this.#kafka.producer({
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition ?? 0,
      allowAutoTopicCreation: false,
    });
    await producer.connect().catch((error) => this.#fail(error));
    this.#letGo();
    this.#producer = producer;
    return partitions;
  }

  async send(batches: readonly RecordBatch[]): Promise<ReadonlyMap<number, number>> {
    const messages = batches.flatMap(({ partition, records }) =>
      records.map(({ value, headers }) => ({ partition, key: null, value, headers })),
    );
    try {
      if (!this.#producer) return this.#fail(undefined);
      const answers = await this.#producer.send({
        topic: this.#topic,
        acks: -1,
        timeout: this.#timeout,
        messages,
      });
      return new Map(answers.map(({ partition, baseOffset }) => [partition, Number(baseOffset)]));
    } catch (error) {
      return this.#fail(error);
    }
  }

  async close(): Promise<void> {
    const producer = this.#producer;
    this.#producer = undefined;
    await producer?.disconnect();
  }

  async #partitions(): Promise<number[]> {
    const admin = this.#kafka.admin();
    try {
      await admin.connect();
      const { topics } = await admin.fetchTopicMetadata({ topics: [this.#topic] });
      const partitions = topics.flatMap((found) => found.partitions);
      const usable = partitions.filter(({ leader }) => leader >= 0).map(({ partitionId }) => partitionId);
      if (usable.length === 0) {
        throw new PipelineError('KAFKA_UNREACHABLE', 'retry', `no partition of ${this.#topic} has a leader`);
      }
      return usable;
    } catch (error) {
      return this.#fail(error);
    } finally {
      admin.disconnect().catch(() => {});
    }
  }

  /** In the background: a broker that is gone must not hold up the next attempt. */
  #letGo(): void {
    this.#producer?.disconnect().catch(() => {});
    this.#producer = undefined;
  }

  #fail(error: unknown): never {
    if (error instanceof PipelineError) throw error;
    switch (protocolCode(error)) {
      case 'MESSAGE_TOO_LARGE':
      case 'RECORD_LIST_TOO_LARGE':
        throw new PipelineError('KAFKA_RECORD_TOO_LARGE', 'reject', 'more than the topic takes', {
          cause: error,
        });
      case 'UNKNOWN_TOPIC_OR_PARTITION':
        throw new PipelineError('KAFKA_TOPIC_MISSING', 'retry', `${this.#topic} does not exist`, {
          cause: error,
        });
      default:
        throw new PipelineError('KAFKA_UNREACHABLE', 'retry', 'the broker does not answer', { cause: error });
    }
  }
}

/** kafkajs wraps the broker's answer in its own errors. */
function protocolCode(error: unknown): string | undefined {
  for (let at = error, depth = 0; typeof at === 'object' && at !== null && depth < 5; depth++) {
    const { type, cause } = at as { type?: unknown; cause?: unknown };
    if (typeof type === 'string') return type;
    at = cause;
  }
  return undefined;
}
