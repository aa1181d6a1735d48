import { setImmediate as yieldToOthers } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';
import type { InputRecord } from '../../../dead-letter.ts';
import type { MemoryKafka, MemoryMessage, MemoryTransaction } from './memory-kafka.ts';

interface TopicMessages {
  readonly topic: string;
  readonly messages: readonly (MemoryMessage & { readonly partition: number })[];
}

interface Offsets {
  readonly consumerGroupId: string;
  readonly topics: readonly {
    topic: string;
    partitions: readonly { partition: number; offset: string }[];
  }[];
}

/** A step of a transaction at which a test may interfere. */
export type Moment = 'send' | 'offsets' | 'commit' | 'committed';

/** A process's connection: the part of kafkajs's client that lanes use. It can be killed and frozen as a process can. */
export class MemoryClient {
  /** Called before each step ('committed': after the commit, before its answer); what it throws is the answer. */
  interfere: (moment: Moment) => void = () => {};
  private readonly kafka: MemoryKafka;
  private dead = false;
  private frozen: { promise: Promise<void>; resolve(): void } | undefined;

  constructor(kafka: MemoryKafka) {
    this.kafka = kafka;
  }

  /** Typed as what the code under test takes. */
  asKafka(): Kafka {
    return this as unknown as Kafka;
  }

  /** kill -9: nothing that was asked is answered any more. */
  kill(): void {
    this.dead = true;
    this.resume();
  }

  /** SIGSTOP. */
  pause(): void {
    this.frozen ??= Promise.withResolvers<void>();
  }

  /** SIGCONT. */
  resume(): void {
    this.frozen?.resolve();
    this.frozen = undefined;
  }

  producer({ transactionalId }: { transactionalId: string }) {
    const { kafka } = this;
    let epoch: number | undefined;
    const current = async (moment: Moment) => {
      await this.gate(moment);
      if (epoch !== kafka.epochs.get(transactionalId)) throw fenced();
    };
    return {
      connect: () => this.gate(),
      disconnect: async () => {},
      transaction: async () => {
        await this.gate();
        if (epoch === undefined) {
          epoch = (kafka.epochs.get(transactionalId) ?? -1) + 1;
          kafka.epochs.set(transactionalId, epoch);
          kafka.openTransactions.get(transactionalId)?.abort();
        }
        return this.transaction(transactionalId, current);
      },
    };
  }

  admin() {
    return {
      connect: () => this.gate(),
      disconnect: async () => {},
      fetchOffsets: async ({ groupId, topics }: { groupId: string; topics: readonly string[] }) => {
        await this.gate();
        return topics.map((topic) => ({
          topic,
          partitions: this.kafka.partitionsOf(topic).map((partition) => ({
            partition,
            offset: String(this.kafka.committedOffset(groupId, topic, partition)),
          })),
        }));
      },
      fetchTopicOffsets: async (topic: string) => {
        await this.gate();
        return this.kafka.partitionsOf(topic).map((partition) => {
          const high = String(this.kafka.end(topic, partition));
          return { partition, offset: high, high, low: '0' };
        });
      },
    };
  }

  /** Reads the one partition that it is told to seek. */
  consumer() {
    let eachBatch: ((payload: { batch: unknown }) => Promise<void>) | undefined;
    let running = true;
    const read = async (topic: string, partition: number, from: number) => {
      for (let next = from; running; ) {
        await this.gate();
        const messages = this.kafka.committed(topic, partition, next).slice(0, BATCH_RECORDS).map(messageOf);
        const last = messages.at(-1);
        if (!last) continue;
        next = Number(last.offset) + 1;
        await eachBatch?.({ batch: { topic, partition, messages, lastOffset: () => last.offset } });
      }
    };
    return {
      events: { CRASH: 'crash' },
      on: () => {},
      connect: () => this.gate(),
      subscribe: () => this.gate(),
      run: async (options: { eachBatch: typeof eachBatch }) => {
        eachBatch = options.eachBatch;
      },
      seek: ({ topic, partition, offset }: { topic: string; partition: number; offset: string }) => {
        void read(topic, partition, Number(offset));
      },
      disconnect: async () => {
        running = false;
      },
    };
  }

  private transaction(transactionalId: string, current: (moment: Moment) => Promise<void>) {
    const { kafka } = this;
    const transaction: MemoryTransaction = { status: 'open' };
    const touched = new Map<string, { topic: string; partition: number }>();
    const commitOffsets: (() => void)[] = [];
    const end = (status: 'committed' | 'aborted') => {
      if (transaction.status !== 'open') return;
      transaction.status = status;
      for (const { topic, partition } of touched.values()) kafka.marker(topic, partition, transaction);
      kafka.openTransactions.delete(transactionalId);
    };
    kafka.openTransactions.set(transactionalId, { abort: () => end('aborted') });
    return {
      sendBatch: async ({ topicMessages }: { topicMessages: readonly TopicMessages[] }) => {
        await current('send');
        const first = new Map<string, { topicName: string; partition: number; baseOffset: string }>();
        for (const { topic, messages } of topicMessages) {
          for (const message of messages) {
            const { partition } = message;
            const baseOffset = String(kafka.append(topic, partition, message, transaction));
            const name = `${topic}/${partition}`;
            touched.set(name, { topic, partition });
            if (!first.has(name)) first.set(name, { topicName: topic, partition, baseOffset });
          }
        }
        return [...first.values()];
      },
      sendOffsets: async ({ consumerGroupId, topics }: Offsets) => {
        await current('offsets');
        for (const { topic, partitions } of topics)
          for (const { partition, offset } of partitions)
            commitOffsets.push(() => kafka.commitOffset(consumerGroupId, topic, partition, Number(offset)));
      },
      commit: async () => {
        await current('commit');
        end('committed');
        for (const commit of commitOffsets) commit();
        await this.gate('committed');
      },
      abort: async () => {
        await this.gate();
        end('aborted');
      },
    };
  }

  private async gate(moment?: Moment): Promise<void> {
    await yieldToOthers();
    await this.frozen?.promise;
    if (this.dead) await new Promise(() => {});
    if (moment) this.interfere(moment);
  }
}

const BATCH_RECORDS = 100;

const fenced = () => Object.assign(new Error('fenced'), { type: 'INVALID_PRODUCER_EPOCH' });

function messageOf({ key, value, offset, timestamp, headers }: InputRecord) {
  return { key, value, offset: String(offset), timestamp: String(timestamp), headers, attributes: 0 };
}
