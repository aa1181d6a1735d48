import { type KafkaSettings, type OutputRecord, silentLog } from '@email-events/core';
import { partitionClient } from '@email-events/core/testing';
import { plainKafkajs } from './plain-kafkajs.ts';
import { placed, withAdminOf } from './world.ts';

/** Writes in transactions for one input partition, and commits its position with each. */
export interface Writer {
  /** As it was committed before this writer was opened. */
  readonly position: number;
  transact(outputs: readonly OutputRecord[], position: number): Promise<void>;
  close(): Promise<void>;
}

export interface WriterOf {
  readonly settings: KafkaSettings;
  readonly groupId: string;
  readonly topic: string;
}

/** Opens one, which fences the one before. */
export type OpenWriter = (of: WriterOf) => Promise<Writer>;

const TRANSACTION_TIMEOUT_MS = 60_000;

const ours: OpenWriter = async ({ settings, groupId, topic }) => {
  const client = partitionClient({
    ...{ settings, service: 'test', log: silentLog, groupId, topic, partition: 0 },
    transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
    restoreIdleMs: 30_000,
  });
  await client.open();
  return {
    position: (await client.committed())?.offset ?? 0,
    transact: async (outputs, position) =>
      void (await client.transact(outputs, { offset: position, note: null })),
    close: async () => client.close(),
  };
};

/** As a project would use it, and as this one did: one producer for a partition, one transaction at a time. */
const kafkajs: OpenWriter = async ({ settings, groupId, topic }) => {
  const { Kafka, logLevel } = plainKafkajs();
  const client = new Kafka({
    brokers: settings.brokers,
    clientId: 'kafkajs',
    requestTimeout: settings.requestTimeoutMs,
    connectionTimeout: settings.connectionTimeoutMs,
    retry: { initialRetryTime: 20, factor: 0.2, multiplier: 2, maxRetryTime: 2_000, retries: 8 },
    logLevel: logLevel.NOTHING,
  });
  const producer = client.producer({
    transactionalId: `${groupId}-${topic}-0`,
    transactionTimeout: TRANSACTION_TIMEOUT_MS,
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner: () => placed,
  });
  await producer.connect();
  const found = await withAdminOf(settings, (admin) => admin.fetchOffsets({ groupId, topics: [topic] }));
  const offset = Number(found[0]?.partitions[0]?.offset ?? -1);
  return {
    position: Math.max(0, offset),
    transact: async (outputs, position) => {
      const transaction = await producer.transaction();
      const topics = [...new Set(outputs.map((output) => output.topic))];
      await transaction.sendBatch({
        acks: -1,
        topicMessages: topics.map((name) => ({
          topic: name,
          messages: outputs
            .filter((output) => output.topic === name)
            .map(({ partition, key, value }) => ({ partition, key, value })),
        })),
      });
      const partitions = [{ partition: 0, offset: String(position) }];
      await transaction.sendOffsets({ consumerGroupId: groupId, topics: [{ topic, partitions }] });
      await transaction.commit();
    },
    close: () => producer.disconnect(),
  };
};

export const implementations: { readonly [name in 'ours' | 'kafkajs']: OpenWriter } = { ours, kafkajs };
