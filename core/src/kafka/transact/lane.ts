import { PipelineError } from '../../errors.ts';
import { pause } from '../../retry.ts';
import { isOfOutputs, isOfRecords } from '../errors.ts';
import type { InputRecord } from '../records.ts';
import { Notes } from './notes.ts';
import type { PartitionClient } from './partition-client.ts';
import { Blame, Isolation } from './poison-records.ts';
import type { Stage, Step, UnforeseenFailure } from './stage.ts';

export interface LaneOptions {
  readonly client: PartitionClient;
  readonly partition: number;
  readonly stage: Stage;
  /** Knowledge about records that fail. It belongs to the partition and outlives its lanes. */
  readonly isolation?: Isolation;
  /** Of all partitions. */
  readonly blame?: Blame;
  /** Of all partitions. */
  readonly notes?: Notes;
  readonly watch?: LaneWatch;
}

/** Called for what a lane does. */
export interface LaneWatch {
  /** A transaction is committed: these records, everything before `position`, in so many milliseconds. */
  committed?(records: readonly InputRecord[], position: number, ms: number): void;
  /** A record is a dead letter now because the work on it failed with an unforeseen error. */
  setAside?(record: InputRecord, failure: UnforeseenFailure): void;
}

/** How a piece of a batch is dealt with. */
interface Decision {
  readonly piece: readonly InputRecord[];
  readonly step: Step;
  readonly failure?: UnforeseenFailure;
}

const NOTHING: Step = { outputs: [] };
/** Before a single record is tried again. Short, since a source of many such records should not hold up the others for long. */
const ATTEMPT_PAUSE_MS = 20;

/**
 * One input partition with its transactions and its stage. Opening a lane anywhere fences every other lane of the partition,
 * even one that does not know yet that it was replaced. A lane that failed is not used again; a new one is opened instead.
 */
export class Lane {
  private readonly options: LaneOptions;
  private readonly isolation: Isolation;
  private readonly blame: Blame;
  private readonly notes: Notes;
  private next = 0;
  private note: string | null = null;
  private turn: Promise<unknown> = Promise.resolve();
  private usable = true;
  private closing = false;

  constructor(options: LaneOptions) {
    this.options = options;
    this.isolation = options.isolation ?? new Isolation();
    this.blame = options.blame ?? new Blame();
    this.notes = options.notes ?? new Notes();
  }

  /** Offset of the next record that it has not processed. Known once it is open. */
  get position(): number {
    return this.next;
  }

  /** Fences earlier owners, then reads what they committed, then lets the stage restore. */
  async open(): Promise<void> {
    const { stage, partition, client } = this.options;
    await client.open();
    const { offset, note } = (await client.committed()) ?? { offset: 0, note: null };
    this.next = offset;
    this.note = note;
    await stage.open({
      partition,
      position: offset,
      note,
      write: (outputs) => client.transact(outputs),
      read: (topic, of, fromOffset, onRecords) =>
        client.read(topic, of, fromOffset, (records) => {
          if (!this.usable) throw laneClosed();
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
   *
   * A batch is one transaction, or several: as many as its stage wants, or as it takes to find a record that cannot be processed.
   */
  process(records: readonly InputRecord[], nextOffset: number, end?: number): Promise<void> {
    return this.inTurn(async () => {
      if (!this.usable) throw laneClosed();
      try {
        if (end !== undefined && end < this.next) await this.options.client.requireReaches(this.next);
        await this.commitAll(records, nextOffset);
      } catch (error) {
        this.usable = false;
        throw error;
      }
    });
  }

  /** Ends the opening of a lane that is not needed any more: reading a long changelog goes no further. */
  abandon(): void {
    this.usable = false;
  }

  /** Lets the transaction under way end first, since it works on the stage's files. */
  async close(): Promise<void> {
    this.closing = true;
    await this.inTurn(async () => {
      this.usable = false;
      try {
        await this.options.stage.close();
      } finally {
        this.options.client.close();
      }
    });
  }

  private async commitAll(records: readonly InputRecord[], nextOffset: number): Promise<void> {
    let rest = records.filter(({ offset }) => offset >= this.next);
    while (this.next < nextOffset) {
      const started = performance.now();
      const decision = rest.length > 0 ? await this.decide(rest) : { piece: [], step: NOTHING };
      const { piece, step, failure } = decision;
      const taken = failure ? 1 : (step.taken ?? piece.length);
      if (rest.length > 0 && taken < 1) throw tookNothing();
      rest = rest.slice(taken);
      await this.judge(decision);
      await this.commit(decision, rest[0]?.offset ?? nextOffset);
      this.blame.passed(this.options.partition, this.next, taken);
      const [record] = piece;
      if (failure && record) this.options.watch?.setAside?.(record, failure);
      this.options.watch?.committed?.(piece.slice(0, taken), this.next, performance.now() - started);
      if (rest.length > 0) this.requireWanted();
    }
  }

  /** Asks the stage for as many of the records as it can do. Nothing is sent meanwhile, so that it may be asked again and again. */
  private async decide(rest: readonly InputRecord[]): Promise<Decision> {
    const { isolation } = this;
    for (;;) {
      const piece = isolation.piece(rest);
      const failure = isolation.givenUp(piece);
      if (failure) return { piece, failure, step: await this.setAside(piece, failure) };
      try {
        return { piece, step: await this.options.stage.process(piece) };
      } catch (error) {
        if (!isOfRecords(error)) throw error;
        isolation.failed(piece, error);
        if (piece.length === 1) await pause(ATTEMPT_PAUSE_MS);
        this.requireWanted();
      }
    }
  }

  /** The rest of a batch is left to the next lane if this one is being closed. */
  private requireWanted(): void {
    if (this.closing) throw laneClosed();
  }

  private async setAside([record]: readonly InputRecord[], failure: UnforeseenFailure): Promise<Step> {
    return record ? this.options.stage.setAside(record, failure) : NOTHING;
  }

  /** Throws PROCESSOR_HALTED if what is to be given up is not given up. */
  private async judge({ step, failure }: Decision): Promise<void> {
    const { stage, partition } = this.options;
    try {
      for (const { offset, sources } of step.unforeseen ?? [])
        await this.blame.judge({ partition, offset }, sources, () => stage.checkItself());
    } catch (error) {
      if (failure) this.isolation.tryAgain();
      throw error;
    }
  }

  private async commit({ piece, step }: Decision, position: number): Promise<void> {
    const { client } = this.options;
    const note = this.notes.sent(step.note ?? this.note);
    let lastOffset: Awaited<ReturnType<PartitionClient['transact']>>;
    try {
      lastOffset = await client.transact(step.outputs, { offset: position, note });
    } catch (error) {
      // This lane is done for; the next one takes less, and notes nothing.
      this.notes.failed(error);
      if (isOfOutputs(error)) this.isolation.failed(piece, error);
      throw error;
    }
    this.next = position;
    this.note = note;
    this.isolation.passed(position);
    await step.committed?.(lastOffset);
  }

  /** One thing at a time: a batch may still be under way when its partition is taken away, or when a quiet moment is committed. */
  private inTurn(work: () => Promise<void>): Promise<void> {
    const mine = this.turn.then(work);
    this.turn = mine.catch(() => {});
    return mine;
  }
}

/** Rather than go round for ever, or pass a record. */
const tookNothing = () =>
  new PipelineError('SERVICE_UNEXPECTED', 'fatal', 'a stage took none of the records that it was given');

/** The error of a lane that was closed or abandoned. */
export const laneClosed = () => new PipelineError('KAFKA_FENCED', 'retry', 'the lane was closed');
