import {
  DELIVERED,
  isPseudonym,
  type Logger,
  type SinkBatch,
  type SinkRecord,
  type SinkVerdict,
} from '@email-events/core';
import type { Suppression } from '@email-events/schemas';
import PQueue from 'p-queue';
import type { CrmAdapter, PutResult } from './crm.ts';
import { CrmError } from './errors.ts';
import type { CrmGuard } from './guard.ts';
import type { CrmMetrics } from './metrics.ts';
import { RecipientTurns } from './recipient-turns.ts';
import { CONTROLS, convictionOf, mayBeTheRecord, Suspects, type TrialLimits } from './trials.ts';

export interface CrmWriterOptions {
  readonly adapter: CrmAdapter;
  /** Recipients written at a time. */
  readonly concurrency: number;
  readonly log: Logger;
  readonly guard: CrmGuard;
  readonly metrics: CrmMetrics;
  readonly now: () => number;
  readonly trials: TrialLimits;
  /** Of all that write to the CRM; default: its own. */
  readonly turns?: RecipientTurns | undefined;
  /** Between two trials of a record. Milliseconds. */
  readonly trialPauseMs: number;
}

type State = SinkRecord<Suppression>;

/** Calls a CRM for the newest state of each recipient of a batch. */
export class CrmWriter {
  private readonly options: CrmWriterOptions;
  /** Bounds the calls of all batches together. */
  private readonly queue: PQueue;
  /**
   * Final verdicts of records whose batch is not done. A batch is retried as a whole, and grows: without this, a CRM that takes ten calls
   * a second would be told of the same first ten recipients for ever.
   */
  private readonly settled = new WeakMap<State, SinkVerdict>();
  /** Of these, what the CRM wrote: where nothing was to be done, it may not even have been asked. */
  private readonly taken = new WeakSet<State>();
  private readonly superseded = new WeakSet<State>();
  private readonly suspects: Suspects<Suppression>;
  private readonly turns: RecipientTurns;

  constructor(options: CrmWriterOptions) {
    this.options = options;
    this.queue = new PQueue({ concurrency: options.concurrency });
    this.suspects = new Suspects(options.trials, options.now);
    this.turns = options.turns ?? new RecipientTurns();
  }

  async write({ records }: SinkBatch<Suppression>, signal: AbortSignal): Promise<SinkVerdict[]> {
    const newest = newestOfEach(records);
    this.countSuperseded(records, newest);
    const verdicts = new Map<State, SinkVerdict>();
    const open = [...newest.values()].filter((record) => !this.settled.has(record));
    const suspects = open.filter((record) => this.suspects.has(record));
    const fresh = open.filter((record) => !this.suspects.has(record));
    // In doubt one call is made at a time: what is bad must not always be the first.
    if (this.options.guard.refusal) shuffle(fresh);
    await this.all(fresh, verdicts, (record) => this.writeOne(record, signal));
    const control = anyOf([...newest.values()].filter((record) => this.taken.has(record)));
    if (control) await this.try(suspects, control, verdicts, signal);
    else await this.all(suspects, verdicts, (record) => this.writeOne(record, signal));
    const of = (record: State) => this.settled.get(record) ?? verdicts.get(record) ?? DELIVERED;
    const found = records.map((record) =>
      newest.get(recipientOf(record)) === record ? of(record) : DELIVERED,
    );
    // A batch that is done is forgotten: after a crash it may come again.
    if (found.every(({ outcome }) => outcome !== 'retry'))
      for (const record of records) this.settled.delete(record);
    return found;
  }

  private countSuperseded(records: readonly State[], newest: ReadonlyMap<string, State>): void {
    const { metrics } = this.options;
    for (const record of records) {
      if (newest.get(recipientOf(record)) === record || this.superseded.has(record)) continue;
      this.superseded.add(record);
      metrics.count('superseded');
    }
  }

  /** All of them, before anything that one of them throws. */
  private async all(
    records: readonly State[],
    verdicts: Map<State, SinkVerdict>,
    write: (record: State) => Promise<SinkVerdict>,
  ): Promise<void> {
    const outcomes = await Promise.allSettled(
      records.map(async (record) => {
        const verdict = await this.inTurn(recipientOf(record), () => write(record));
        if (verdict.outcome === 'retry') verdicts.set(record, verdict);
        else this.settled.set(record, verdict);
      }),
    );
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  /**
   * Suspects, some at a time, between two calls for a record that the CRM has taken already: it is of this batch, so that it may be
   * sent again, as it would be after a crash. Without one, no record waits behind the suspects, either.
   */
  private async try(
    suspects: readonly State[],
    control: State,
    verdicts: Map<State, SinkVerdict>,
    signal: AbortSignal,
  ): Promise<void> {
    const { concurrency, trialPauseMs } = this.options;
    for (const record of suspects) verdicts.set(record, retryOf('SINK_CRM_UNAVAILABLE', trialPauseMs));
    for (let at = 0; at < suspects.length; at += concurrency) {
      const some = suspects.slice(at, at + concurrency);
      if (signal.aborted || !(await this.takes(control, signal))) return;
      const failures = new Map<State, CrmError>();
      await this.all(some, verdicts, (record) => this.tryOne(record, failures, signal));
      if (failures.size === 0 || !(await this.takesAll(control, signal))) continue;
      for (const [record, error] of failures) {
        if (this.suspects.convict(record)) this.settled.set(record, this.verdictOf(convictionOf(error)));
      }
    }
  }

  private async tryOne(
    record: State,
    failures: Map<State, CrmError>,
    signal: AbortSignal,
  ): Promise<SinkVerdict> {
    const { guard, metrics, trialPauseMs } = this.options;
    try {
      const result = await guard.runAlone(() => this.put(record, signal));
      return this.written(record, result);
    } catch (error) {
      if (signal.aborted) return STOPPED;
      if (!(error instanceof CrmError)) throw error;
      metrics.count(error.failure);
      if (mayBeTheRecord(error)) failures.set(record, error);
      else if (error.failure === 'rejected') return this.verdictOf(error);
      return retryOf(error.code, error.afterMs || trialPauseMs);
    }
  }

  private async takesAll(control: State, signal: AbortSignal): Promise<boolean> {
    for (let n = 0; n < CONTROLS; n++)
      if (signal.aborted || !(await this.takes(control, signal))) return false;
    return true;
  }

  /** Whether the CRM takes what it has taken before. */
  private async takes(control: State, signal: AbortSignal): Promise<boolean> {
    const { guard, metrics } = this.options;
    return this.inTurn(recipientOf(control), async () => {
      try {
        const make = () => this.put(control, signal);
        const result = await guard.run({ subject: control, suspect: false, tells: isWritten, make });
        if (isWritten(result)) this.suspects.wrote();
        metrics.count('repeated');
        return true;
      } catch (error) {
        if (signal.aborted) return false;
        if (!(error instanceof CrmError)) throw error;
        metrics.count(error.failure);
        if (error.failure === 'rejected') this.taken.delete(control);
        this.suspects.controlFailed();
        return false;
      }
    });
  }

  private async writeOne(record: State, signal: AbortSignal): Promise<SinkVerdict> {
    const { guard, metrics } = this.options;
    // A forgotten recipient is not told to the CRM: it would be an address it should no longer hear of.
    if (record.value === null || isPseudonym(record.value.recipient)) {
      metrics.count('erased');
      return DELIVERED;
    }
    if (signal.aborted) return STOPPED;
    const suspect = this.suspects.has(record);
    try {
      const make = () => this.put(record, signal);
      const result = await guard.run({ subject: record, suspect, tells: isWritten, make });
      return this.written(record, result);
    } catch (error) {
      if (signal.aborted) return STOPPED;
      if (!(error instanceof CrmError)) throw error;
      metrics.count(error.failure);
      this.suspects.note(record, error);
      return this.verdictOf(error);
    }
  }

  private async put(record: State, signal: AbortSignal): Promise<PutResult> {
    const { adapter, metrics, now } = this.options;
    const { value, timestamp } = record;
    if (!value) throw new Error('an erased recipient is not told to the CRM');
    const start = now();
    try {
      return await adapter.put({ suppression: value, recordedAt: timestamp }, signal);
    } finally {
      metrics.took((now() - start) / 1_000);
    }
  }

  private written(record: State, result: PutResult): SinkVerdict {
    const { metrics } = this.options;
    if (isWritten(result)) {
      this.taken.add(record);
      this.suspects.wrote();
    }
    metrics.delivered(record.value?.changed_at ?? 0);
    metrics.count(result);
    return DELIVERED;
  }

  private verdictOf({ failure, code, message, afterMs }: CrmError): SinkVerdict {
    if (failure !== 'rejected') return retryOf(code, afterMs);
    this.options.log.warn({ code }, message);
    return { outcome: 'dead-letter', code, message };
  }

  /**
   * One call at a time for a recipient, across batches: a partition that was lost and came back may bring a
   * recipient whose earlier write is still under way.
   */
  private inTurn<T>(recipient: string, run: () => Promise<T>): Promise<T> {
    return this.turns.run(recipient, () => this.queue.add(run));
  }
}

/** Another one each time: one that the CRM takes no more must not be asked for ever. */
const anyOf = <T>(all: readonly T[]): T | undefined => all[Math.floor(Math.random() * all.length)];

/** In place, as Fisher and Yates did. */
function shuffle(states: State[]): void {
  for (let last = states.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    const [a, b] = [states[last], states[other]];
    if (a && b) [states[last], states[other]] = [b, a];
  }
}

const isWritten = (result: PutResult) => result === 'written';

const STOPPED: SinkVerdict = { outcome: 'retry', code: 'SINK_UNAVAILABLE' };

const retryOf = (code: string, afterMs: number | undefined): SinkVerdict => ({
  outcome: 'retry',
  code,
  ...(afterMs === undefined ? {} : { afterMs }),
});

const recipientOf = ({ key, value }: State): string => key ?? value?.recipient ?? '';

/**
 * The newest record of each recipient: it holds the whole state, so the others need no call. It is the last one, unless an older state was
 * written to the topic once more: the revision tells.
 */
export function newestOfEach(records: readonly State[]): Map<string, State> {
  const newest = new Map<string, State>();
  for (const record of records) {
    const recipient = recipientOf(record);
    if (replaces(record, newest.get(recipient))) newest.set(recipient, record);
  }
  return newest;
}

/** One without a revision, or that erases, is as new as its place says. */
function replaces({ value }: State, before: State | undefined): boolean {
  const [revision, former] = [value?.revision, before?.value?.revision];
  return !revision || !former || revision >= former;
}
