import { createKafka, type KafkaSettings, silentLog } from '@email-events/core';
import type { Producer, Transaction } from 'kafkajs';

export interface HeldMessage {
  /** Left out: the one of the input. */
  readonly topic?: string;
  readonly partition: number;
  readonly key?: string | null;
  readonly value: Buffer;
  readonly headers?: { readonly [name: string]: Buffer };
}

/** The broker's longest. */
const HELD_FOR_MS = 900_000;
const SEND_BYTES = 4_194_304;

/**
 * Input that lies in its topic and is not to be read yet: it is in a transaction. So neither side works while it is written, nobody
 * writes while a side works, and a side begins at the moment of the commit.
 */
export class HeldInput {
  private readonly topic: string;
  private readonly producer: Producer;
  private readonly transaction: Transaction;
  private waiting: HeldMessage[] = [];
  private bytes = 0;

  private constructor(topic: string, producer: Producer, transaction: Transaction) {
    this.topic = topic;
    this.producer = producer;
    this.transaction = transaction;
  }

  static async begin(settings: KafkaSettings, topic: string): Promise<HeldInput> {
    const producer = createKafka(settings, 'bench-fill', silentLog).producer({
      transactionalId: `bench-${topic}`,
      ...{ idempotent: true, maxInFlightRequests: 1, transactionTimeout: HELD_FOR_MS },
    });
    await producer.connect();
    return new HeldInput(topic, producer, await producer.transaction());
  }

  async add(message: HeldMessage): Promise<void> {
    this.waiting.push(message);
    this.bytes += message.value.length;
    if (this.bytes >= SEND_BYTES || this.waiting.length >= 5_000) await this.flush();
  }

  /** All that was added is at the broker. */
  async flush(): Promise<void> {
    if (this.waiting.length === 0) return;
    const byTopic = Map.groupBy(this.waiting, ({ topic = this.topic }) => topic);
    this.waiting = [];
    this.bytes = 0;
    const topicMessages = Array.from(byTopic, ([topic, placed]) => ({
      topic,
      messages: placed.map(({ key = null, topic: _, ...message }) => ({ key, ...message })),
    }));
    await this.transaction.sendBatch({ acks: -1, topicMessages });
  }

  /** From now on it is to be read. */
  async release(): Promise<void> {
    await this.transaction.commit();
    await this.producer.disconnect();
  }
}
