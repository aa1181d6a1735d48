import { setTimeout as delay } from 'node:timers/promises';
import { sameTotals, type Totals } from '@email-events/cli/status/totals';
import type { Expectation } from '../../simulate/expectation.ts';
import { isComplete } from './compare.ts';

export interface WaitOptions {
  readonly expected: Expectation;
  /** Requests may have been received more than once (see compare). */
  readonly copies?: boolean;
  /** What the pipeline has counted since the run began. */
  read(): Promise<Totals>;
  /** Records that some service has still to deal with. */
  lag(): Promise<number>;
  onProgress?(totals: Totals): void;
  readonly signal: AbortSignal;
  /** Nothing moves for this long: it will not. */
  readonly quietMs?: number;
  readonly deadlineMs?: number;
  readonly pollMs?: number;
}

const QUIET_MS = 30_000;
const DEADLINE_MS = 600_000;
const POLL_MS = 250;

/**
 * Resolves with the final counts once nothing is left to do anywhere: all figures are there, no service lags, and the
 * figures are the same afterwards. Also resolves, with whatever is there, when nothing has moved for a while.
 */
export async function waitUntilThrough(options: WaitOptions): Promise<Totals> {
  const { expected, signal, quietMs = QUIET_MS, deadlineMs = DEADLINE_MS, pollMs = POLL_MS } = options;
  const begin = performance.now();
  let last = await options.read();
  let movedAt = begin;
  for (;;) {
    signal.throwIfAborted();
    options.onProgress?.(last);
    if (isComplete(expected, last, options.copies) && (await options.lag()) === 0) {
      const again = await options.read();
      if (sameTotals(again, last)) return again;
      last = again;
    }
    const now = performance.now();
    if (now - movedAt > quietMs || now - begin > deadlineMs) return last;
    await delay(pollMs);
    const next = await options.read();
    if (!sameTotals(next, last)) movedAt = performance.now();
    last = next;
  }
}

/** Resolves when no service has anything left to do, so that a run begins on a clean slate; or at the deadline. */
export async function waitForNoLag(
  lag: () => Promise<number>,
  signal: AbortSignal,
  deadlineMs = 60_000,
): Promise<void> {
  const begin = performance.now();
  while ((await lag()) > 0 && performance.now() - begin < deadlineMs) {
    signal.throwIfAborted();
    await delay(POLL_MS);
  }
}

/** What cannot be read now may be in a moment: a service that restarts, a partition that moves. Throws the last error. */
export async function patiently<T>(
  read: () => Promise<T>,
  signal: AbortSignal,
  deadlineMs = 60_000,
): Promise<T> {
  const begin = performance.now();
  for (;;) {
    try {
      return await read();
    } catch (error) {
      signal.throwIfAborted();
      if (performance.now() - begin > deadlineMs) throw error;
      await delay(POLL_MS);
    }
  }
}
