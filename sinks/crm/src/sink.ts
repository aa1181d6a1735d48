import {
  DELIVERED,
  type Logger,
  PipelineError,
  type Registry,
  type Sink,
  type SinkBatch,
  type SinkVerdict,
} from '@email-events/core';
import type { Suppression } from '@email-events/schemas';
import { CrmChecks } from './checks.ts';
import type { CrmAdapter } from './crm.ts';
import { CrmGuard } from './guard.ts';
import { type CrmMetrics, createCrmMetrics } from './metrics.ts';
import type { RecipientTurns } from './recipient-turns.ts';
import type { TrialLimits } from './trials.ts';
import { CrmWriter, newestOfEach } from './writer.ts';

export interface CrmSinkOptions {
  readonly adapter: CrmAdapter;
  /** Of the CRM in metrics; default: the adapter's. */
  readonly name?: string | undefined;
  /** Recipients written at a time. */
  readonly concurrency: number;
  /** Count and log instead of calling. */
  readonly dryRun: boolean;
  /** What the credentials must be allowed, to be said when they are refused. */
  readonly scopes?: readonly string[] | undefined;
  /** Calls a second that this instance may make now; undefined: any number. */
  readonly callLimit?: () => number | undefined;
  /** Whether urgent calls wait for their turn in the pace now. */
  readonly isWaiting?: (() => boolean) | undefined;
  /** Of all that write to the CRM in this process; default: its own. */
  readonly turns?: RecipientTurns | undefined;
  readonly log: Logger;
  readonly metrics: Registry;
  readonly now?: () => number;
  /** Failures in a row that open the breaker, and how long it stays open. */
  readonly breakAfter?: number;
  readonly breakMs?: number;
  /** Time between tries while the CRM refuses the configuration, at first and at most. Milliseconds. */
  readonly refusedMs?: { readonly first: number; readonly most: number };
  /** When a record is set aside that the CRM fails on while it takes others. */
  readonly trials?: TrialLimits;
  /** Between two trials of a record. Milliseconds. */
  readonly trialPauseMs?: number;
}

export interface CrmSink extends Sink<Suppression> {
  /** Code of what keeps the sink from writing, for readiness; undefined when it writes. */
  problem(): string | undefined;
  /** Records are being written now. */
  readonly isWriting: boolean;
}

/** Brings a CRM to the topic's newest state of each recipient. */
export function createCrmSink(options: CrmSinkOptions): CrmSink {
  const { adapter, concurrency, log, now = Date.now } = options;
  const checks = new CrmChecks({
    ...{ adapter, now, isWaiting: options.isWaiting ?? (() => false) },
    wroteAt: () => guard.wroteAt,
    onEnd: (error) => guard.checked(error),
  });
  const guard: CrmGuard = new CrmGuard({
    ...{ log, now, breakAfter: options.breakAfter ?? 5, breakMs: options.breakMs ?? 5_000 },
    scopes: options.scopes ?? [],
    refusedMs: options.refusedMs ?? { first: 2_000, most: 60_000 },
    probe: () => checks.now(),
  });
  const metrics = createCrmMetrics(options.metrics, options.name ?? adapter.name, {
    breakerLevel: () => guard.breakerLevel,
    refused: () => guard.refusal !== undefined,
    callLimit: options.callLimit ?? (() => undefined),
    now,
  });
  const writer = new CrmWriter({
    ...{ adapter, concurrency, log, guard, metrics, now, turns: options.turns },
    trials: options.trials ?? { tries: 6, forMs: 30_000 },
    trialPauseMs: options.trialPauseMs ?? 2_000,
  });
  let writing = 0;
  return {
    name: 'crm',
    get isWriting() {
      return writing > 0;
    },
    byRecord: true,
    sourceOf: ({ topic, value }) => value?.reasons[0]?.source ?? topic,
    async check(signal) {
      if (options.dryRun) return;
      if (guard.problem) throw new PipelineError(guard.problem, 'retry', 'the CRM takes no calls');
      await checks.check(signal);
    },
    async write(batch, signal) {
      if (options.dryRun) return pretend(batch, metrics, log);
      writing += 1;
      try {
        return await writer.write(batch, signal);
      } finally {
        writing -= 1;
      }
    },
    problem: () => guard.problem,
    async close() {
      checks.close();
      await adapter.close();
    },
  };
}

function pretend({ records }: SinkBatch<Suppression>, metrics: CrmMetrics, log: Logger): SinkVerdict[] {
  const newest = newestOfEach(records);
  let suppressed = 0;
  for (const { value } of newest.values()) if (value?.suppressed) suppressed++;
  metrics.count('superseded', records.length - newest.size);
  metrics.count('dry_run', newest.size);
  log.info({ recipients: newest.size, suppressed }, 'dry run: nothing sent');
  return records.map(() => DELIVERED);
}
