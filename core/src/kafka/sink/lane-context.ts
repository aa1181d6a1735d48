import type PQueue from 'p-queue';
import { codeOf } from '../../errors.ts';
import { type Backoff, pause, retry } from '../../retry.ts';
import type { Logger } from '../../telemetry.ts';
import type { Traces } from '../../tracing/traces.ts';
import { isFatal } from '../errors.ts';
import type { OffsetToCommit } from '../read/membership.ts';
import type { OffsetRange } from './batch.ts';
import type { DeadLetters } from './dead-letters.ts';
import type { SinkMeasures } from './health.ts';
import { LaneLost } from './lane-lost.ts';
import type { SinkFaults } from './poison-records.ts';
import type { Sink } from './sink.ts';

/** Shared by the lanes of one assignment. */
export interface LaneContext<R> {
  readonly sink: Sink<R>;
  readonly deadLetters: Pick<DeadLetters, 'publish'>;
  /** Writes at a time. */
  readonly writes: PQueue;
  readonly measures: SinkMeasures;
  /** Of all assignments that this process has had. */
  readonly faults: SinkFaults;
  readonly traces?: Traces | undefined;
  readonly log: Logger;
  readonly now: () => number;
  /** How long to wait before the next of so many tries. Milliseconds. */
  readonly backoff: (attempts: number) => number;
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

export const BACKOFF: Backoff = { firstMs: 100, longestMs: 10_000 };

/** Waits; throws LaneLost if the lane ends meanwhile. */
export async function pauseFor(ms: number, lost: AbortSignal): Promise<void> {
  await pause(ms, lost);
  if (lost.aborted) throw new LaneLost();
}

/** Tries until it works or the lane is lost: for work that fails only while Kafka is down. Fatal errors are thrown. */
export async function persist<T>(
  what: string,
  work: () => Promise<T>,
  lost: AbortSignal,
  log: Logger,
): Promise<T> {
  const attempt = async () => {
    if (lost.aborted) throw new LaneLost();
    return work();
  };
  try {
    return await retry(attempt, {
      backoff: BACKOFF,
      signal: lost,
      retryIf: (error) => !(error instanceof LaneLost) && !isFatal(error),
      onRetry: (error, failures) => {
        if (failures > 1)
          log.warn({ code: codeOf(error), attempt: failures - 1 }, `${what} failed and is tried again`);
      },
    });
  } catch (error) {
    throw lost.aborted && !isFatal(error) ? new LaneLost() : error;
  }
}
