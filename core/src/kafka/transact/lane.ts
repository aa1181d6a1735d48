import type { InputRecord } from '../../dead-letter.ts';
import { PipelineError } from '../../errors.ts';
import type { PartitionClient } from './partition-client.ts';
import type { Stage } from './stage.ts';

export interface LaneOptions {
  readonly client: PartitionClient;
  readonly partition: number;
  readonly stage: Stage;
}

/**
 * One input partition with its transactions and its stage. Opening a lane anywhere fences every other lane of the partition,
 * whatever it still thinks it owns. A lane that failed is not used again; a new one is opened instead.
 */
export class Lane {
  private readonly options: LaneOptions;
  private next = 0;
  private turn: Promise<unknown> = Promise.resolve();
  private usable = true;

  constructor(options: LaneOptions) {
    this.options = options;
  }

  /** Offset of the next record that it has not processed. Known once it is open. */
  get position(): number {
    return this.next;
  }

  /** Fences earlier owners, then reads what they committed, then lets the stage restore. */
  async open(): Promise<void> {
    const { stage, partition, client } = this.options;
    await client.open();
    this.next = (await client.committed()) ?? 0;
    await stage.open({
      partition,
      write: (outputs) => client.transact(outputs),
      read: (topic, of, fromOffset, onRecords) =>
        client.read(topic, of, fromOffset, (records) => {
          if (!this.usable) throw letGo();
          return onRecords(records);
        }),
    });
  }

  /**
   * Records that an earlier owner already committed are left out: they may have been read before that owner's last transaction
   * ended. `nextOffset` is where the next batch begins; without fresh records only that is committed. `end`, where it is known, is
   * the end of the partition when the records were read. Only a partition that still ends before what was committed has lost records:
   * a process that was frozen with a batch in hand finds that others have gone on, and a broker that has just taken over may not know
   * its own end yet. Leaving out what comes after a loss would lose more (KAFKA_LOG_TRUNCATED, fatal).
   */
  process(records: readonly InputRecord[], nextOffset: number, end?: number): Promise<void> {
    return this.inTurn(async () => {
      if (!this.usable) throw letGo();
      try {
        if (end !== undefined && end < this.next) await this.options.client.requireReaches(this.next);
        await this.commit(records, nextOffset);
      } catch (error) {
        this.usable = false;
        throw error;
      }
    });
  }

  /** Ends the opening of a lane that nobody wants any more: reading a long changelog goes no further. */
  abandon(): void {
    this.usable = false;
  }

  /** Lets a batch under way end first, since it works on the stage's files. */
  async close(): Promise<void> {
    await this.inTurn(async () => {
      this.usable = false;
      try {
        await this.options.stage.close();
      } finally {
        this.options.client.close();
      }
    });
  }

  private async commit(records: readonly InputRecord[], nextOffset: number): Promise<void> {
    const fresh = records.filter(({ offset }) => offset >= this.next);
    if (nextOffset <= this.next) return;
    const { stage, client } = this.options;
    const step = fresh.length > 0 ? await stage.process(fresh) : { outputs: [] };
    const lastOffset = await client.transact(step.outputs, nextOffset);
    this.next = nextOffset;
    await step.committed?.(lastOffset);
  }

  /** One thing at a time: a batch may still be under way when its partition is taken away, or when a quiet moment is committed. */
  private inTurn(work: () => Promise<void>): Promise<void> {
    const mine = this.turn.then(work);
    this.turn = mine.catch(() => {});
    return mine;
  }
}

/** What a lane says that nobody wants any more. */
export const letGo = () => new PipelineError('KAFKA_FENCED', 'retry', 'the lane was let go of');
