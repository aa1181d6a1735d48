import type { Logger } from '../../log.ts';
import type { KafkaSettings } from '../admin.ts';
import { createBrokers } from '../client.ts';
import { requireReaches } from '../consume/gap.ts';
import { readPartition } from '../consume/read-partition.ts';
import { AnswerIncomplete } from '../errors.ts';
import { partitionTransactionalId } from '../names.ts';
import { TransactionalProducer } from '../produce/transactional-producer.ts';
import { keyOf } from '../wire/ask-leaders.ts';
import { committedOffsets } from '../wire/offsets.ts';
import { roundsOf } from './rounds.ts';
import type { LastOffset, OnRecords, OutputRecord } from './stage.ts';

/** What a lane needs of a cluster: to be the only writer for its partition, and to read. Used until its first failure. */
export interface PartitionClient {
  /** Fences every earlier owner of the partition; what those committed can be read from then on, and nothing more follows. */
  open(): Promise<void>;
  /** The group's position. Null: it has none. */
  committed(): Promise<number | null>;
  /** Writes all of it, and the group's new position, or throws: then it may be committed all the same. */
  transact(outputs: readonly OutputRecord[], position?: number): Promise<LastOffset>;
  /** Throws KAFKA_LOG_TRUNCATED (fatal) if the input partition ends before this offset. */
  requireReaches(offset: number): Promise<void>;
  /** Reads committed records of any partition in order until `onRecords` has all it wants. */
  read(topic: string, partition: number, fromOffset: number, onRecords: OnRecords): Promise<void>;
  /** At once: what is under way is rejected. */
  close(): void;
}

export interface PartitionClientOptions {
  readonly settings: KafkaSettings;
  readonly service: string;
  readonly log: Logger;
  readonly groupId: string;
  readonly topic: string;
  readonly partition: number;
  readonly transactionTimeoutMs: number;
  readonly restoreIdleMs: number;
}

/**
 * On a real cluster. The transactional id names group, topic and partition, so that an owner anywhere fences every other. The commit of
 * offsets carries no generation of the group: that is safe only because an owner is opened before it reads the position, and by that name.
 */
export function partitionClient(options: PartitionClientOptions): PartitionClient {
  const { settings, service, log, groupId, topic, partition, transactionTimeoutMs, restoreIdleMs } = options;
  const { requestTimeoutMs } = settings;
  const brokers = createBrokers(settings, service, log);
  const transactionalId = partitionTransactionalId(groupId, topic, partition);
  const producer = new TransactionalProducer(brokers, {
    transactionalId,
    transactionTimeoutMs,
    requestTimeoutMs,
  });
  const at = { topic, partition };
  return {
    open: () => producer.open(),
    committed: async () => {
      const found = (await committedOffsets(brokers, groupId, [at], { stable: true })).get(keyOf(at));
      if (!found) throw new AnswerIncomplete(keyOf(at));
      return found.offset;
    },
    transact: (outputs, position) =>
      producer.transact(
        roundsOf(outputs),
        position === undefined ? undefined : { groupId, topic, partition, offset: position },
      ),
    requireReaches: (offset) => requireReaches(brokers, at, offset),
    read: (of, own, fromOffset, onRecords) =>
      readPartition(brokers, {
        topic: of,
        partition: own,
        fromOffset,
        onRecords,
        idleMs: restoreIdleMs,
        requestTimeoutMs,
      }),
    close: () => brokers.close(),
  };
}
