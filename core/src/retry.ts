import { setTimeout as sleep } from 'node:timers/promises';

// The one retry policy. Of the libraries at hand, cockatiel's retries end neither at a deadline nor when a signal says so: a service that
// is stopped would sleep on. Code that has to remember between its attempts what was done (producing, group membership, group commit, a
// lane of a processor) loops by itself and takes only its pauses from here.

export interface Backoff {
  /** The pause after the first failure. It doubles with each further one. Milliseconds. */
  readonly firstMs: number;
  readonly longestMs: number;
}

export interface RetryOptions {
  /** No further attempt begins after so long. Milliseconds; default: as long as it takes. */
  readonly forMs?: number;
  readonly backoff?: Backoff;
  /** Ends the waiting; the last error is thrown. */
  readonly signal?: AbortSignal | undefined;
  /** Whether this error may be gone the next time. What is not is thrown at once. */
  readonly retryIf: (error: unknown) => boolean;
  /** After a failure that is followed by another attempt. Attempts count from 1. */
  readonly onRetry?: (error: unknown, attempt: number) => void;
  /** Before each further attempt. An error of it is ignored: the attempt will show. */
  readonly before?: () => Promise<unknown>;
}

const BACKOFF: Backoff = { firstMs: 10, longestMs: 500 };

/** Tries until it works, an error is not one to be tried again, or the time is up; then the last error is thrown. */
export async function retry<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { forMs = Number.POSITIVE_INFINITY, backoff = BACKOFF, signal, retryIf, onRetry, before } = options;
  const deadline = performance.now() + forMs;
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const ms = backoffMs(attempt, backoff);
      if (!retryIf(error) || signal?.aborted || performance.now() + ms > deadline) throw error;
      onRetry?.(error, attempt);
      await pause(ms, signal);
      if (signal?.aborted) throw error;
      await before?.().catch(() => {});
    }
  }
}

/**
 * The pause after so many failures in a row, counted from 1. By chance between half and all of it, so that those who failed together
 * do not come back together.
 */
export function backoffMs(failures: number, { firstMs, longestMs }: Backoff, random = Math.random): number {
  const ms = Math.min(longestMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return ms * (0.5 + random() / 2);
}

/** Ends early, without an error, when the signal says so. A pause alone does not keep the process running if `ref` is false. */
export async function pause(ms: number, signal?: AbortSignal | undefined, ref = true): Promise<void> {
  await sleep(ms, undefined, { signal, ref }).catch(() => {});
}
