import type { Logger } from '../../telemetry.ts';
import { NO_TRACES, traceOf } from '../../tracing/traces.ts';
import type { OffsetToCommit } from '../read/membership.ts';
import { Attempts, type Delayed, type Prepared } from './attempts.ts';
import type { BatchSize, BufferLimits, Plan } from './batch.ts';
import { encodeIntent, type OffsetRange, OpenBatch } from './batch.ts';
import type { LaneBuffer } from './lane-buffer.ts';
import type { LaneContext } from './lane-context.ts';
import { pauseFor, persist } from './lane-context.ts';
import { LaneLost } from './lane-lost.ts';
import type { LanePace } from './pace.ts';

/**
 * Pieces of a new batch. Enough for twenty years of months, or batches of them would be of a record a piece; few enough that the lanes of
 * forty partitions can all have such batches at once, and a table that remembers the last 300,000 inserts knows all of them.
 */
const MOST_PIECES = 256;
/** A batch that grows while it is tried has at most so many times the size of a batch. */
const GROWTH = 10;

/** How often a lane looks whether anything can be committed without writing, or a redo waits for records that are gone. */
const IDLE_MS = 1_000;

export interface LaneParts<R> {
  readonly buffer: LaneBuffer<R>;
  /** The buffer's limits. */
  readonly size: BatchSize;
  /** The largest size. */
  readonly limits: BufferLimits;
  readonly pace: LanePace;
}

/**
 * Writes one lane: announce the batch in the commit metadata, write it, commit its end. If anything fails between
 * these three, the next owner of the lane writes the same batch with the same id first.
 */
export class BatchLane<R> {
  readonly id: string;
  readonly buffer: LaneBuffer<R>;
  private readonly context: LaneContext<R>;
  private readonly log: Logger;
  /** When it last finished a batch, or began. Monotonic milliseconds. */
  progressAt = performance.now();
  /** A batch is being written, or waits for its turn or for the sink. */
  atWork = false;
  private waker = Promise.withResolvers<void>();

  private readonly most: BufferLimits;
  private readonly size: BatchSize;
  private readonly pace: LanePace;
  private readonly attempts: Attempts<R>;

  constructor(id: string, { buffer, size, limits, pace }: LaneParts<R>, context: LaneContext<R>) {
    this.id = id;
    this.buffer = buffer;
    this.most = limits;
    this.size = size;
    this.pace = pace;
    this.context = context;
    this.log = context.log.child({ lane: id });
    this.attempts = new Attempts(id, context, size, this.log);
  }

  /** Something came. */
  wake(): void {
    this.waker.resolve();
  }

  /** Ends without an error when the assignment is lost or the service stops. Rejects with an unforeseen error. */
  async run(): Promise<void> {
    const { lost, halted } = this.context;
    try {
      while (!lost.aborted && !halted.aborted) {
        const due = this.dueAt();
        if (due !== undefined && due <= this.context.now()) await this.work();
        else if (await this.waitUntil(due)) await this.tidy();
      }
    } catch (error) {
      if (!(error instanceof LaneLost)) throw error;
    }
  }

  /** It keeps its pace, or is about to go on: it does nothing although there may be records. */
  get rests(): boolean {
    return this.context.now() < this.pace.notBefore + IDLE_MS;
  }

  private dueAt(): number | undefined {
    const due = this.buffer.dueAt();
    return due === undefined ? undefined : Math.max(due, this.pace.notBefore);
  }

  private async work(): Promise<void> {
    this.atWork = true;
    try {
      await this.writeNext();
    } finally {
      this.atWork = false;
      this.progressAt = performance.now();
    }
  }

  /** True: the time is up. False: something came. */
  private async waitUntil(due: number | undefined): Promise<boolean> {
    this.waker = Promise.withResolvers();
    const timer = Promise.withResolvers<boolean>();
    const ms = due === undefined ? IDLE_MS : Math.max(1, due - this.context.now());
    const timeout = setTimeout(() => timer.resolve(true), ms);
    const woken = await Promise.race([timer.promise, this.waker.promise.then(() => false)]);
    clearTimeout(timeout);
    return woken;
  }

  private async tidy(): Promise<void> {
    const missing = this.buffer.missing();
    if (missing.length > 0) {
      const lows = await persist(
        'reading offsets',
        () => this.context.lowOffsets(missing),
        this.context.lost,
        this.log,
      );
      for (const { topic, partition, start } of lows) this.buffer.skipTo(topic, partition, start);
      return;
    }
    const idle = this.buffer.idle();
    if (idle.length > 0) await this.finish(idle);
  }

  private async writeNext(): Promise<void> {
    const { writes } = this.context;
    // The batch is taken when its turn has come: until then it may grow.
    const { batch, first } = await writes.add(() => this.begin());
    if (!batch) return;
    this.pace.began(batch.pieces, batch.startedAt);
    this.context.drained(this.id);
    if (first) await this.retry(batch, first);
    else if (batch.attempts === 0) this.size.wentWell();
    await this.attempts.refuse(batch.refused());
    await this.finish(batch.plan.intent.ranges);
    this.measure(batch);
    this.trace(batch);
  }

  /** Takes the next batch, announces it and tries it once. */
  private async begin(): Promise<{ batch?: OpenBatch<R>; first?: Delayed | undefined }> {
    const { lost, halted } = this.context;
    if (lost.aborted || halted.aborted) throw new LaneLost();
    const taken = await this.takePrepared();
    if (!taken) return {};
    const { batch, prepared } = taken;
    if (batch.plan.entries.length === 0) return { batch };
    await this.announce(batch.plan);
    return { batch, first: await this.attempts.attempt(batch, prepared) };
  }

  /**
   * A batch of few enough pieces: each is one insert, and takes a place in the sink's memory of inserts. One that was announced
   * stays as it is.
   */
  private async takePrepared(): Promise<{ batch: OpenBatch<R>; prepared?: Prepared<R> } | undefined> {
    const { now, sink } = this.context;
    for (;;) {
      const plan = this.buffer.take(now());
      if (!plan) return undefined;
      const batch = new OpenBatch(plan, now());
      if (plan.redo || !sink.prepare || plan.entries.length < 2) return { batch };
      // The attempt meets its error again, and deals with it. The number of pieces is unknown then, but not above that of the records.
      const prepared = await this.attempts.prepare(batch).catch(() => undefined);
      const pieces = prepared?.pieces.length ?? plan.entries.length;
      if (pieces <= MOST_PIECES) return { batch, ...(prepared ? { prepared } : {}) };
      this.buffer.putBack(plan);
      this.size.atMost(Math.floor((plan.entries.length * MOST_PIECES) / pieces));
    }
  }

  /** Commits the unchanged offsets with the planned end. A batch that is redone is announced already. */
  private async announce({ intent: { nonce, ranges, cut }, redo, entries }: Plan<R>): Promise<void> {
    if (redo) {
      this.context.measures.redone.inc();
      this.log.info({ records: entries.length }, 'a batch that was announced before is written again');
      return;
    }
    await this.commit(
      ranges.map(({ topic, partition, start, end }) => ({
        topic,
        partition,
        offset: start,
        metadata: encodeIntent(nonce, end, ranges.length, cut),
      })),
    );
  }

  private async finish(ranges: readonly OffsetRange[]): Promise<void> {
    const ends = this.buffer.commitAfter(ranges);
    await this.commit(
      ends.map(({ topic, partition, end }) => ({ topic, partition, offset: end, metadata: null })),
    );
  }

  private commit(offsets: readonly OffsetToCommit[]): Promise<void> {
    const { commit, lost } = this.context;
    return persist('a commit', () => commit(offsets), lost, this.log);
  }

  private async retry(batch: OpenBatch<R>, first: Delayed): Promise<void> {
    const { lost, halted, writes } = this.context;
    const gone = AbortSignal.any([lost, halted]);
    for (let next: Delayed | undefined = first; next; ) {
      await pauseFor(next.afterMs, gone);
      next = await writes.add(() => {
        this.extend(batch);
        return this.attempts.attempt(batch);
      });
    }
  }

  /**
   * A record that fails for long must not hold up those behind it, and only when others pass is it known that it is the record. So where
   * the sink takes record by record, they are tried with it, as long as not most of the batch waits.
   */
  private extend(batch: OpenBatch<R>): void {
    const { sink } = this.context;
    if (!sink.byRecord || batch.waiting * 2 > this.most.batchRows) return;
    let bytes = 0;
    for (const entry of batch.plan.entries) bytes += entry.bytes;
    const rows = this.most.batchRows * GROWTH - batch.plan.entries.length;
    batch.plan = this.buffer.extend(batch.plan, {
      rows: Math.min(rows, this.most.batchRows),
      bytes: Math.min(this.most.batchBytes * GROWTH - bytes, this.most.batchBytes),
    });
    this.context.drained(this.id);
  }

  /** From when the batch was taken until its end is committed. */
  private trace({ plan: { entries }, startedAt, refusals }: OpenBatch<R>): void {
    const { traces = NO_TRACES, sink } = this.context;
    if (traces === NO_TRACES) return;
    const contexts = entries.flatMap(({ record }) => traceOf(record) ?? []);
    const counts = { 'messaging.batch.message_count': entries.length, refused: refusals.length };
    traces.join(sink.name, contexts, startedAt)?.end({ ...counts, lane: this.id });
  }

  private measure(batch: OpenBatch<R>): void {
    const { measures, now } = this.context;
    const { entries } = batch.plan;
    const counts = new Map<string, number>();
    const count = (topic: string, by: number) => counts.set(topic, (counts.get(topic) ?? 0) + by);
    let oldest = Number.POSITIVE_INFINITY;
    for (const { topic, timestamp } of entries) {
      count(topic, 1);
      if (timestamp < oldest) oldest = timestamp;
    }
    for (const { entry } of batch.refusals) count(entry.topic, -1);
    for (const [topic, delivered] of counts) measures.records.inc({ topic, outcome: 'delivered' }, delivered);
    measures.batchRecords.observe(entries.length);
    if (entries.length > 0) measures.ageSeconds.observe((now() - oldest) / 1_000);
  }
}
