import {
  DELIVERED,
  type Logger,
  PipelineError,
  type Registry,
  type Sink,
  type SinkBatch,
  type SinkRecord,
  type SinkVerdict,
} from '@email-events/core';
import type { Suppression } from '@email-events/schemas';
import PQueue from 'p-queue';
import type { CrmAdapter, RecipientState } from './adapter.ts';
import { CrmError } from './errors.ts';
import { CrmGuard } from './guard.ts';
import { type CrmMetrics, createCrmMetrics } from './metrics.ts';

export interface CrmSinkOptions {
  readonly adapter: CrmAdapter;
  /** Recipients written at a time. */
  readonly concurrency: number;
  /** Count and log instead of calling. */
  readonly dryRun: boolean;
  readonly log: Logger;
  readonly metrics: Registry;
  readonly now?: () => number;
  /** Failures in a row that open the breaker, and how long it stays open. */
  readonly breakAfter?: number;
  readonly breakMs?: number;
  /** Time between tries while the CRM refuses the configuration. Milliseconds. */
  readonly misconfiguredPauseMs?: number;
}

export interface CrmSink extends Sink<Suppression> {
  /** Code of what keeps the sink from writing, for readiness; undefined when it writes. */
  problem(): string | undefined;
}

/** Brings a CRM to the topic's newest state of each recipient. */
export function createCrmSink(options: CrmSinkOptions): CrmSink {
  const { adapter, now = Date.now, breakAfter = 5, breakMs = 5_000, misconfiguredPauseMs = 60_000 } = options;
  const guard = new CrmGuard({ log: options.log, now, breakAfter, breakMs, misconfiguredPauseMs });
  const metrics = createCrmMetrics(options.metrics, adapter.name, {
    breakerLevel: () => guard.breakerLevel,
    refused: () => guard.refusal !== undefined,
    now,
  });
  const writer = new CrmWriter(options, guard, metrics, now);
  return {
    name: 'crm',
    async check(signal) {
      if (options.dryRun) return;
      if (guard.problem) throw new PipelineError(guard.problem, 'retry', 'the CRM takes no calls');
      await adapter.check(signal);
    },
    write: (batch, signal) => writer.write(batch, signal),
    problem: () => guard.problem,
    close: () => adapter.close(),
  };
}

class CrmWriter {
  private readonly options: CrmSinkOptions;
  private readonly guard: CrmGuard;
  private readonly metrics: CrmMetrics;
  private readonly now: () => number;
  /** Bounds the calls of all batches together. */
  private readonly queue: PQueue;
  /**
   * Final verdicts within batches that are not done, by batch id and index. A batch is retried as a whole: without this,
   * a CRM that takes ten calls a second would be told of the same first ten recipients for ever.
   */
  private readonly settled = new Map<string, Map<number, SinkVerdict>>();
  /** Last write of each recipient that has one under way. */
  private readonly turns = new Map<string, Promise<unknown>>();

  constructor(options: CrmSinkOptions, guard: CrmGuard, metrics: CrmMetrics, now: () => number) {
    this.options = options;
    this.guard = guard;
    this.metrics = metrics;
    this.now = now;
    this.queue = new PQueue({ concurrency: options.concurrency });
  }

  async write(batch: SinkBatch<Suppression>, signal: AbortSignal): Promise<SinkVerdict[]> {
    const newest = newestOfEach(batch.records);
    const settled = this.settledOf(batch, newest.size);
    if (this.options.dryRun) return this.pretend(batch, newest);
    const verdicts = batch.records.map(() => DELIVERED);
    await Promise.all(
      [...newest].map(async ([recipient, index]) => {
        const record = batch.records[index];
        if (!record) return;
        const verdict =
          settled.get(index) ?? (await this.inTurn(recipient, () => this.writeOne(record, signal)));
        verdicts[index] = verdict;
        if (verdict.outcome !== 'retry') settled.set(index, verdict);
      }),
    );
    if (!verdicts.some(({ outcome }) => outcome === 'retry')) this.settled.delete(batch.id);
    return verdicts;
  }

  /** Final verdicts that an earlier attempt at this batch had; empty at the first. */
  private settledOf({ id, records }: SinkBatch<Suppression>, recipients: number): Map<number, SinkVerdict> {
    const known = this.settled.get(id);
    if (known) return known;
    this.metrics.count('superseded', records.length - recipients);
    const settled = new Map<number, SinkVerdict>();
    this.settled.set(id, settled);
    // Batches that were lost to another owner never finish here; forgetting one costs repeated calls at most.
    for (const oldest of this.settled.keys()) {
      if (this.settled.size <= MAX_OPEN_BATCHES) break;
      this.settled.delete(oldest);
    }
    return settled;
  }

  private pretend(batch: SinkBatch<Suppression>, newest: ReadonlyMap<string, number>): SinkVerdict[] {
    let suppressed = 0;
    for (const index of newest.values()) if (batch.records[index]?.value?.suppressed) suppressed++;
    this.settled.delete(batch.id);
    this.metrics.count('dry_run', newest.size);
    this.options.log.info({ recipients: newest.size, suppressed }, 'dry run: nothing sent');
    return batch.records.map(() => DELIVERED);
  }

  /**
   * One call at a time for a recipient, across batches: a partition that was lost and came back may bring a
   * recipient whose earlier write is still under way.
   */
  private async inTurn<T>(recipient: string, run: () => Promise<T>): Promise<T> {
    const before = this.turns.get(recipient) ?? Promise.resolve();
    const turn = before.then(() => this.queue.add(run));
    const settled = turn.catch(() => undefined);
    this.turns.set(recipient, settled);
    try {
      return await turn;
    } finally {
      if (this.turns.get(recipient) === settled) this.turns.delete(recipient);
    }
  }

  private async writeOne(record: SinkRecord<Suppression>, signal: AbortSignal): Promise<SinkVerdict> {
    // A forgotten recipient is not told to the CRM: it would be an address it should no longer hear of.
    if (record.value === null) return this.counted('erased', DELIVERED);
    if (signal.aborted) return STOPPED;
    const state = { suppression: record.value, recordedAt: record.timestamp };
    try {
      const result = await this.guard.run(() => this.timed(state, signal));
      this.metrics.delivered(record.value.changed_at);
      return this.counted(result, DELIVERED);
    } catch (error) {
      if (signal.aborted) return STOPPED;
      if (!(error instanceof CrmError)) throw error;
      return this.counted(error.failure, this.verdictOf(error));
    }
  }

  private async timed(state: RecipientState, signal: AbortSignal) {
    const start = this.now();
    try {
      return await this.options.adapter.put(state, signal);
    } finally {
      this.metrics.took((this.now() - start) / 1_000);
    }
  }

  private verdictOf({ failure, code, message, afterMs }: CrmError): SinkVerdict {
    if (failure === 'rejected') {
      this.options.log.warn({ code }, message);
      return { outcome: 'dead-letter', code, message };
    }
    return { outcome: 'retry', code, ...(afterMs === undefined ? {} : { afterMs }) };
  }

  private counted(outcome: string, verdict: SinkVerdict): SinkVerdict {
    this.metrics.count(outcome);
    return verdict;
  }
}

/** More than partitions that one process has. */
const MAX_OPEN_BATCHES = 256;

const STOPPED: SinkVerdict = { outcome: 'retry', code: 'SINK_UNAVAILABLE' };

/** Index of the last record of each recipient: it holds the whole state, so the earlier ones need no call. */
function newestOfEach(records: readonly SinkRecord<Suppression>[]): Map<string, number> {
  const newest = new Map<string, number>();
  records.forEach(({ key, value }, index) => {
    newest.set(key ?? value?.recipient ?? '', index);
  });
  return newest;
}
