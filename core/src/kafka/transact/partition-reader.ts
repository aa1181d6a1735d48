import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Batch, Kafka, PartitionAssigner } from 'kafkajs';
import { PipelineError } from '../../errors.ts';
import { inputRecordOf } from '../input-record.ts';
import { AssignerProtocol } from '../kafkajs.ts';
import type { OnRecords } from './stage.ts';

const HEARTBEAT_MS = 3_000;
const PAUSE_MS = 200;

export interface PartitionRead {
  /** Group on whose behalf it is read: names of throw-away groups begin with it, as rights may go by prefix. */
  readonly groupId: string;
  readonly topic: string;
  readonly partition: number;
  readonly fromOffset: number;
  readonly onRecords: OnRecords;
  /** Longest silence before it counts as failed. */
  readonly idleMs: number;
}

/**
 * Reads committed records of one partition in order until `onRecords` has all it wants. kafkajs can only read as a group
 * member, so it is the sole member of a throw-away group that is given this partition and commits nothing.
 * Throws STATE_RESTORE_FAILED when nothing comes for too long.
 */
export async function readPartition(kafka: Kafka, read: PartitionRead): Promise<void> {
  const position: Position = { next: read.fromOffset, done: false };
  for (const deadline = performance.now() + read.idleMs; ; ) {
    try {
      await readAsMember(kafka, read, position);
      return;
    } catch (error) {
      // A coordinator that is still loading, for one. What went wrong with the records themselves is the caller's.
      const passes = !position.done && (error as { retriable?: unknown }).retriable === true;
      if (!passes || performance.now() > deadline) throw error;
    }
    await pause(PAUSE_MS);
  }
}

interface Position {
  next: number;
  /** Everything was read, or what was read could not be dealt with. */
  done: boolean;
}

async function readAsMember(kafka: Kafka, read: PartitionRead, position: Position): Promise<void> {
  const consumer = kafka.consumer({
    groupId: `${read.groupId}-restore-${randomUUID()}`,
    partitionAssigners: [onlyPartition(read.topic, read.partition)],
    maxWaitTimeInMs: 500,
    maxBytesPerPartition: 8 * 1_048_576,
    retry: { restartOnFailure: async () => false },
  });
  const end = Promise.withResolvers<void>();
  let timer = setTimeout(() => {}, 0);
  const expectMore = () => {
    clearTimeout(timer);
    timer = setTimeout(() => end.reject(silence(read)), read.idleMs);
  };
  let delivered: Promise<unknown> | undefined;
  // It may be over before anybody waits for it.
  end.promise.catch(() => {});
  try {
    expectMore();
    consumer.on(consumer.events.CRASH, ({ payload }) => end.reject(payload.error));
    await consumer.connect();
    await consumer.subscribe({ topic: read.topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch, heartbeat }) => {
        if (position.done) return;
        // What is done with the records may take longer than the group waits for a sign of life.
        clearTimeout(timer);
        const beat = setInterval(() => heartbeat().catch(() => {}), HEARTBEAT_MS);
        delivered = deliver(batch, read, position).then(
          () => position.done && end.resolve(),
          (error) => end.reject(error),
        );
        await delivered;
        clearInterval(beat);
        if (!position.done) expectMore();
      },
    });
    try {
      consumer.seek({ topic: read.topic, partition: read.partition, offset: String(position.next) });
    } catch (error) {
      // A consumer that has crashed already cannot seek; why it has is what matters.
      setImmediate(() => end.reject(error));
    }
    await end.promise;
  } finally {
    await consumer.disconnect();
    // The consumer may have crashed over it; whoever goes on must not meet it at work.
    await delivered;
    clearTimeout(timer);
  }
}

/** Before the seek takes effect earlier records may come; they are left out. */
async function deliver(batch: Batch, { onRecords }: PartitionRead, position: Position): Promise<void> {
  const records = batch.messages
    .map((message) => inputRecordOf(batch, message))
    .filter(({ offset }) => offset >= position.next);
  position.next = Math.max(position.next, Number(batch.lastOffset()) + 1);
  if (records.length === 0) return;
  // Done unless it says otherwise: what throws is not tried again here.
  position.done = true;
  position.done = await onRecords(records);
}

function silence({ topic, partition, idleMs }: PartitionRead): PipelineError {
  return new PipelineError(
    'STATE_RESTORE_FAILED',
    'retry',
    `${topic}/${partition}: nothing read for ${idleMs} ms`,
  );
}

const onlyPartition =
  (topic: string, partition: number): PartitionAssigner =>
  () => ({
    name: 'only-partition',
    version: 0,
    assign: async ({ members }) =>
      members.map(({ memberId }, i) => ({
        memberId,
        memberAssignment: AssignerProtocol.MemberAssignment.encode({
          version: 0,
          assignment: i === 0 ? { [topic]: [partition] } : {},
          userData: Buffer.alloc(0),
        }),
      })),
    protocol: ({ topics }) => ({
      name: 'only-partition',
      metadata: AssignerProtocol.MemberMetadata.encode({ version: 0, topics, userData: Buffer.alloc(0) }),
    }),
  });
