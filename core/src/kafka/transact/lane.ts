import type { Admin, Kafka, Producer, RecordMetadata, Transaction } from 'kafkajs';
import type { InputRecord } from '../../dead-letter.ts';
import { PipelineError } from '../../errors.ts';
import { readPartition } from './partition-reader.ts';
import { roundsOf } from './rounds.ts';
import type { LastOffset, OutputRecord, Stage } from './stage.ts';

export interface LaneOptions {
  readonly kafka: Kafka;
  readonly admin: Admin;
  readonly groupId: string;
  readonly topic: string;
  readonly partition: number;
  readonly stage: Stage;
  readonly transactionTimeoutMs: number;
  readonly restoreIdleMs: number;
}

/**
 * One input partition with its transactional producer and its stage. The transactional id names group, topic and
 * partition: opening a lane anywhere fences every other lane of the partition, whatever it still thinks it owns.
 * A lane that failed is not used again; a new one is opened instead.
 */
export class Lane {
  private readonly options: LaneOptions;
  private readonly producer: Producer;
  private position = 0;
  private turn: Promise<unknown> = Promise.resolve();
  private usable = true;

  constructor(options: LaneOptions) {
    this.options = options;
    const { kafka, groupId, topic, partition, transactionTimeoutMs } = options;
    this.producer = kafka.producer({
      transactionalId: `${groupId}-${topic}-${partition}`,
      transactionTimeout: transactionTimeoutMs,
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: () => (args) => args.message.partition ?? 0,
    });
  }

  /** Fences earlier owners, then reads what they committed, then lets the stage restore. */
  async open(): Promise<void> {
    const { stage, partition, kafka, groupId, restoreIdleMs } = this.options;
    await this.producer.connect();
    await this.fence();
    this.position = await this.committedOffset();
    await stage.open({
      partition,
      write: (outputs) => this.transact((transaction) => sendAll(transaction, outputs)),
      read: (topic, of, fromOffset, onRecords) =>
        readPartition(kafka, {
          groupId,
          topic,
          partition: of,
          fromOffset,
          idleMs: restoreIdleMs,
          onRecords: (records) => {
            if (!this.usable) throw letGo();
            return onRecords(records);
          },
        }),
    });
  }

  /**
   * Records that an earlier owner already committed are left out: the consumer may have been told its position
   * before that owner's last transaction ended. `nextOffset` is where the next batch begins; without fresh records
   * only that is committed. `end`, where it is known, is the end of the partition when the records were read. Only a
   * partition that still ends before what was committed has lost records: a process that was frozen with a batch in hand
   * finds that others have gone on. Leaving out what comes after a loss would lose more (KAFKA_LOG_TRUNCATED, fatal).
   */
  process(records: readonly InputRecord[], nextOffset: number, end?: number): Promise<void> {
    return this.inTurn(async () => {
      if (!this.usable) throw letGo();
      try {
        if (end !== undefined && end < this.position) await this.requireCommitted();
        await this.commit(records, nextOffset);
      } catch (error) {
        this.usable = false;
        throw error;
      }
    });
  }

  private async requireCommitted(): Promise<void> {
    const { admin, topic, partition } = this.options;
    const found = (await admin.fetchTopicOffsets(topic)).find((entry) => entry.partition === partition);
    if (Number(found?.high ?? 0) >= this.position) return;
    throw new PipelineError(
      'KAFKA_LOG_TRUNCATED',
      'fatal',
      `${topic}/${partition} ends before offset ${this.position}, which was committed already`,
    );
  }

  /** Ends the opening of a lane that nobody wants any more: reading a long changelog goes no further. */
  abandon(): void {
    this.usable = false;
  }

  /** Lets a batch under way end first, since it works on the stage's files. */
  async close(): Promise<void> {
    await this.inTurn(async () => {
      this.usable = false;
      await this.options.stage.close();
      await this.producer.disconnect();
    });
  }

  private async commit(records: readonly InputRecord[], nextOffset: number): Promise<void> {
    const fresh = records.filter(({ offset }) => offset >= this.position);
    if (nextOffset <= this.position) return;
    const { stage, groupId, topic, partition } = this.options;
    const step = fresh.length > 0 ? await stage.process(fresh) : { outputs: [] };
    const lastOffset = await this.transact(async (transaction) => {
      const sent = await sendAll(transaction, step.outputs);
      await transaction.sendOffsets({
        consumerGroupId: groupId,
        topics: [{ topic, partitions: [{ partition, offset: String(nextOffset) }] }],
      });
      return sent;
    });
    this.position = nextOffset;
    await step.committed?.(lastOffset);
  }

  /**
   * One thing at a time. kafkajs joins the group again without waiting for every batch, so one may still be under way
   * when its partition is taken away or its records are handed over a second time.
   */
  private inTurn(work: () => Promise<void>): Promise<void> {
    const mine = this.turn.then(work);
    this.turn = mine.catch(() => {});
    return mine;
  }

  /** kafkajs asks for the producer id, which fences, when the first transaction begins; an empty one costs nothing more. */
  private async fence(): Promise<void> {
    const transaction = await this.producer.transaction();
    await transaction.abort();
  }

  private async committedOffset(): Promise<number> {
    const { admin, groupId, topic, partition } = this.options;
    const [of] = await admin.fetchOffsets({ groupId, topics: [topic] });
    const found = of?.partitions.find((entry) => entry.partition === partition);
    return Math.max(0, Number(found?.offset ?? -1));
  }

  private async transact(work: (transaction: Transaction) => Promise<RecordMetadata[]>): Promise<LastOffset> {
    const transaction = await this.producer.transaction();
    let sent: RecordMetadata[];
    try {
      sent = await work(transaction);
    } catch (error) {
      // Best effort: whoever opens the lane next aborts what is left over.
      await transaction.abort().catch(() => {});
      throw error;
    }
    await transaction.commit();
    return lastOffsets(sent);
  }
}

/** What a lane says that nobody wants any more. */
export const letGo = () => new PipelineError('KAFKA_FENCED', 'retry', 'the lane was let go of');

async function sendAll(
  transaction: Transaction,
  outputs: readonly OutputRecord[],
): Promise<RecordMetadata[]> {
  const counts = new Map<string, number>();
  const sent: RecordMetadata[] = [];
  for (const topicMessages of roundsOf(outputs)) {
    const metadata = await transaction.sendBatch({ topicMessages, acks: -1 });
    counts.clear();
    for (const { topic, messages } of topicMessages) {
      for (const { partition } of messages) {
        const target = `${topic}/${partition}`;
        counts.set(target, (counts.get(target) ?? 0) + 1);
      }
    }
    for (const entry of metadata) {
      const records = counts.get(`${entry.topicName}/${entry.partition}`) ?? 1;
      // From here on `offset` is that of the last record of the send.
      sent.push({ ...entry, offset: String(Number(entry.baseOffset) + records - 1) });
    }
  }
  return sent;
}

function lastOffsets(sent: readonly RecordMetadata[]): LastOffset {
  const last = new Map<string, number>();
  for (const { topicName, partition, offset } of sent) last.set(`${topicName}/${partition}`, Number(offset));
  return (topic, partition) => last.get(`${topic}/${partition}`);
}
