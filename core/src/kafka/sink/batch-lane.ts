import { CodecError } from '@email-events/schemas';
import { codeOf, PipelineError } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import type { Sink, SinkVerdict } from '../../sink.ts';
import type { OffsetToCommit } from '../consume/membership.ts';
import type { Slots } from '../consume/slots.ts';
import type { DeadLetters, Refusal } from './dead-letters.ts';
import { backoffMs, LaneLost, pauseFor, persist } from './delivery.ts';
import { type Entry, readable } from './entry.ts';
import { encodeIntent, type OffsetRange } from './intent.ts';
import type { LaneBuffer, Plan } from './lane-buffer.ts';
import type { SinkMeasures } from './measures.ts';

/** What the lanes of one assignment share. */
export interface LaneContext<R> {
  readonly sink: Sink<R>;
  readonly deadLetters: DeadLetters;
  readonly slots: Slots;
  readonly measures: SinkMeasures;
  readonly log: Logger;
  readonly now: () => number;
  /** Aborts when the assignment ends: nothing may be committed from then on. */
  readonly lost: AbortSignal;
  /** Aborts when the service stops: a write under way goes on, waiting for a better time does not. */
  readonly halted: AbortSignal;
  /** Aborts when writes under way must end too. */
  readonly abort: AbortSignal;
  /** One request. Throws LaneLost if the assignment has ended. */
  commit(offsets: readonly OffsetToCommit[]): Promise<void>;
  /** First offset that each partition still has. */
  lowOffsets(ranges: readonly OffsetRange[]): Promise<OffsetRange[]>;
  /** Undefined: the sink works. */
  report(lane: string, problem: string | undefined): void;
  /** There is room in the lane's buffer again. */
  drained(lane: string): void;
}

/** How often a lane looks whether anything can be committed without writing, or a redo waits for records that are gone. */
const IDLE_MS = 1_000;

/**
 * Writes one lane: announce the batch in the commit metadata, write it, commit its end. Whatever happens between
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

  constructor(id: string, buffer: LaneBuffer<R>, context: LaneContext<R>) {
    this.id = id;
    this.buffer = buffer;
    this.context = context;
    this.log = context.log.child({ lane: id });
  }

  /** Something came. */
  wake(): void {
    this.waker.resolve();
  }

  /** Ends without an error when the assignment is lost or the service stops. Rejects with what nobody foresaw. */
  async run(): Promise<void> {
    const { lost, halted } = this.context;
    try {
      while (!lost.aborted && !halted.aborted) {
        const due = this.buffer.dueAt();
        if (due !== undefined && due <= this.context.now()) await this.work();
        else if (await this.waitUntil(due)) await this.tidy();
      }
    } catch (error) {
      if (!(error instanceof LaneLost)) throw error;
    }
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
    const { slots, now, lost, halted } = this.context;
    const startedAt = now();
    // The batch is taken when its turn has come: until then it may grow.
    const { plan, first } = await slots.run(async () => {
      if (lost.aborted || halted.aborted) throw new LaneLost();
      const plan = this.buffer.take(now());
      if (!plan || plan.entries.length === 0) return { plan, first: { entries: [], verdicts: [] } };
      await this.announce(plan);
      return { plan, first: await this.attempt(plan.id, plan.entries) };
    });
    if (!plan) return;
    this.context.drained(this.id);
    const written = 'afterMs' in first ? await this.retry(plan, first) : first;
    const refusals = refusalsOf(plan.entries, written, startedAt);
    await this.refuse(refusals);
    await this.finish(plan.intent.ranges);
    this.measure(plan.entries, refusals);
  }

  /** Commits the unchanged offsets with the planned end. A batch that is redone is announced already. */
  private async announce({ intent: { nonce, ranges }, redo, entries }: Plan<R>): Promise<void> {
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
        metadata: encodeIntent(nonce, end, ranges.length),
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

  private async attempt(id: string, entries: readonly Entry<R>[]): Promise<Written<R> | Delayed> {
    const stopTimer = this.context.measures.writeSeconds.startTimer();
    let delayed: { code: string; afterMs: number | undefined };
    try {
      const written = await this.write(id, entries);
      const retries = written.verdicts.flatMap((verdict) => (verdict.outcome === 'retry' ? [verdict] : []));
      const [retry] = retries;
      if (!retry) {
        this.context.report(this.id, undefined);
        return written;
      }
      delayed = { code: retry.code, afterMs: longest(retries) };
    } catch (error) {
      if (error instanceof PipelineError && error.disposition === 'fatal') throw error;
      delayed = { code: codeOf(error), afterMs: undefined };
    } finally {
      stopTimer();
    }
    return this.delay(entries, delayed);
  }

  private delay(
    entries: readonly Entry<R>[],
    { code, afterMs }: { code: string; afterMs: number | undefined },
  ): Delayed {
    for (const entry of entries) entry.attempts += 1;
    const attempts = entries[0]?.attempts ?? 1;
    this.context.measures.retries.inc({ code });
    this.context.report(this.id, code);
    this.log.warn({ code, records: entries.length, attempts }, 'a write has to be retried');
    return { afterMs: afterMs ?? backoffMs(attempts) };
  }

  /** A sink that meets a record that cannot be read has written nothing: it gets the others. */
  private async write(id: string, entries: readonly Entry<R>[]): Promise<Written<R>> {
    const { sink, abort } = this.context;
    try {
      const verdicts = await sink.write({ id, records: entries }, abort);
      requireOneEach(verdicts, entries, sink.name);
      return { entries, verdicts };
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      const rest = readable(entries);
      if (rest.length === entries.length) throw error;
      return rest.length === 0 ? { entries: [], verdicts: [] } : this.write(id, rest);
    }
  }

  private async retry({ id, entries }: Plan<R>, first: Delayed): Promise<Written<R>> {
    const { lost, halted, slots } = this.context;
    const gone = AbortSignal.any([lost, halted]);
    for (let { afterMs } = first; ; ) {
      await pauseFor(afterMs, gone);
      const next = await slots.run(() => this.attempt(id, entries));
      if (!('afterMs' in next)) return next;
      afterMs = next.afterMs;
    }
  }

  private async refuse(refusals: readonly Refusal[]): Promise<void> {
    if (refusals.length === 0) return;
    const { deadLetters, lost, now, measures } = this.context;
    await persist('writing dead letters', () => deadLetters.publish(refusals, now()), lost, this.log);
    for (const { entry } of refusals) measures.records.inc({ topic: entry.topic, outcome: 'dead-lettered' });
    const codes = [...new Set(refusals.map(({ code }) => code))];
    this.log.warn({ records: refusals.length, codes }, 'records became dead letters');
  }

  private measure(entries: readonly Entry<R>[], refusals: readonly Refusal[]): void {
    const { measures, now } = this.context;
    const counts = new Map<string, number>();
    const count = (topic: string, by: number) => counts.set(topic, (counts.get(topic) ?? 0) + by);
    let oldest = Number.POSITIVE_INFINITY;
    for (const { topic, timestamp } of entries) {
      count(topic, 1);
      if (timestamp < oldest) oldest = timestamp;
    }
    for (const { entry } of refusals) count(entry.topic, -1);
    for (const [topic, delivered] of counts) measures.records.inc({ topic, outcome: 'delivered' }, delivered);
    measures.batchRecords.observe(entries.length);
    if (entries.length > 0) measures.ageSeconds.observe((now() - oldest) / 1_000);
  }
}

/** The batch must be written again, as a whole, after so many milliseconds. */
interface Delayed {
  readonly afterMs: number;
}

/** What the sink was given, and its verdicts. */
interface Written<R> {
  readonly entries: readonly Entry<R>[];
  readonly verdicts: readonly SinkVerdict[];
}

/** The longest wait that a verdict asks for; undefined if none does. */
function longest(retries: readonly Extract<SinkVerdict, { outcome: 'retry' }>[]): number | undefined {
  const waits = retries.flatMap(({ afterMs }) => (afterMs === undefined ? [] : [afterMs]));
  return waits.length === 0 ? undefined : Math.max(...waits);
}

function refusalsOf<R>(
  all: readonly Entry<R>[],
  { entries, verdicts }: Written<R>,
  firstAt: number,
): Refusal[] {
  const refusals: Refusal[] = all
    .filter(({ unreadable }) => unreadable)
    .map((entry) => ({
      entry,
      code: 'SINK_RECORD_UNREADABLE',
      message: 'the value cannot be decoded',
      firstAt,
    }));
  for (const [index, verdict] of verdicts.entries()) {
    const entry = entries[index];
    if (entry && verdict.outcome === 'dead-letter') {
      refusals.push({ entry, code: verdict.code, message: verdict.message, firstAt });
    }
  }
  return refusals;
}

export function requireOneEach(
  verdicts: readonly SinkVerdict[],
  records: readonly unknown[],
  sink: string,
): void {
  if (verdicts.length === records.length) return;
  const found = `${verdicts.length} verdicts for ${records.length} records`;
  throw new PipelineError('SERVICE_UNEXPECTED', 'fatal', `the sink ${sink} gave ${found}`);
}
