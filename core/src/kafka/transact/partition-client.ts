import { PipelineError } from '../../errors.ts';
import type { Logger } from '../../telemetry.ts';
import type { Brokers } from '../client/brokers.ts';
import { createBrokers, type KafkaSettings } from '../client/client.ts';
import { committedOffsets, keyOf } from '../client/offsets.ts';
import { roundsOf } from '../client/produce.ts';
import { AnswerIncomplete } from '../errors.ts';
import { partitionTransactionalId } from '../names.ts';
import { Fetcher } from '../read/fetcher.ts';
import { requireReaches } from '../read/log-truncation.ts';
import { TransactionalProducer } from './producer.ts';
import type { LastOffset, OnRecords, OutputRecord } from './stage.ts';

export interface Position {
  /** Of the next record. */
  readonly offset: number;
  /** A text of the stage's own that is committed with it. */
  readonly note: string | null;
}

/** A lane's access to the cluster: it is the only writer for its partition, and reads. Used until its first failure. */
export interface PartitionClient {
  /** Fences every earlier owner of the partition; what those committed can be read from then on, and nothing more follows. */
  open(): Promise<void>;
  /** The group's position. Null: it has none. */
  committed(): Promise<Position | null>;
  /** Writes all of it, and the group's new position, or throws: then it may be committed all the same. */
  transact(outputs: readonly OutputRecord[], position?: Position): Promise<LastOffset>;
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
      const { offset, metadata } = found;
      // Brokers and tools write an empty text where there is none.
      return offset === null ? null : { offset, note: metadata || null };
    },
    transact: (outputs, position) =>
      producer.transact(
        roundsOf(outputs),
        position === undefined ? undefined : { groupId, topic, partition, ...position },
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

export interface PartitionRead {
  readonly topic: string;
  readonly partition: number;
  readonly fromOffset: number;
  /** Takes the next records; true when it has all it wants. */
  readonly onRecords: OnRecords;
  /** Longest silence before it counts as failed. Milliseconds. */
  readonly idleMs: number;
  readonly requestTimeoutMs: number;
}

const MAX_WAIT_MS = 500;
const MAX_BYTES = 8 * 1_048_576;

/**
 * Reads committed records of one partition in order until `onRecords` has all it wants.
 * Throws STATE_RESTORE_FAILED when nothing comes for too long, or what `onRecords` throws.
 */
export async function readPartition(brokers: Brokers, read: PartitionRead): Promise<void> {
  const { topic, partition, fromOffset, onRecords, idleMs, requestTimeoutMs } = read;
  const over = new AbortController();
  let silentSince = performance.now();
  let atWork = false;
  const fetcher = new Fetcher({
    brokers,
    requestTimeoutMs,
    ...{ minBytes: 1, maxWaitMs: MAX_WAIT_MS, maxBytesPerPartition: MAX_BYTES, concurrency: 1 },
    onBatch: async ({ records }) => {
      silentSince = performance.now();
      if (records.length === 0 || over.signal.aborted) return;
      atWork = true;
      try {
        if (await onRecords(records)) over.abort();
      } finally {
        atWork = false;
        silentSince = performance.now();
      }
    },
    // A changelog whose beginning has expired is read from where it begins now.
  });
  fetcher.begin({ topic, partition }, fromOffset);
  let silent = false;
  const watch = setInterval(
    () => {
      if (atWork || performance.now() - silentSince <= idleMs) return;
      silent = true;
      over.abort();
    },
    Math.min(200, idleMs / 2),
  );
  try {
    await fetcher.run(over.signal);
  } finally {
    clearInterval(watch);
  }
  if (silent) {
    const nothing = `${topic}/${partition}: nothing read for ${idleMs} ms`;
    throw new PipelineError('STATE_RESTORE_FAILED', 'retry', nothing);
  }
}
