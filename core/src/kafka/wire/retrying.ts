import { setTimeout as pause } from 'node:timers/promises';
import { mayPass } from './faults.ts';

export interface RetryOptions {
  /** No further attempt begins after so long. Milliseconds. */
  readonly forMs: number;
  readonly firstPauseMs?: number;
  readonly longestPauseMs?: number;
  /** Ends the waiting; the last error is thrown. */
  readonly signal?: AbortSignal | undefined;
  readonly passes?: (error: unknown) => boolean;
  /** Before each further attempt. What it throws is ignored: the attempt will show. */
  readonly before?: () => Promise<unknown>;
}

/** Tries until it works, something else is wrong, or the time is up; then the last error is thrown. */
export async function retrying<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { forMs, firstPauseMs = 10, longestPauseMs = 500, signal, passes = mayPass, before } = options;
  const deadline = performance.now() + forMs;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
    try {
      return await work();
    } catch (error) {
      if (!passes(error) || signal?.aborted || performance.now() + pauseMs > deadline) throw error;
      await pause(pauseMs * (0.75 + Math.random() / 2), undefined, { signal }).catch(() => {});
      if (signal?.aborted) throw error;
      await before?.().catch(() => {});
    }
  }
}
