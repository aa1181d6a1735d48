import { type Backoff, backoffMs, pause } from '@email-events/core';
import { type CrmAdapter, CrmError } from '@email-events/sink-crm';
import type { ListingProgress } from './progress.ts';

/** Failures in a row until a call is given up: what was done stays, and the next run goes on. */
const MOST_FAILURES = 10;
const BACKOFF: Backoff = { firstMs: 1_000, longestMs: 60_000 };

export interface Patience {
  readonly signal: AbortSignal;
  /** Told before a wait: why, and how long. Milliseconds. */
  readonly onWait: (code: string, ms: number) => void;
  /** Default: that of core. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Lists everybody into the progress, from where it is. Throws CrmError. */
export async function listAll(
  adapter: Pick<CrmAdapter, 'suppressed'>,
  progress: ListingProgress,
  patience: Patience,
  onPage: () => void,
): Promise<void> {
  let restarted = progress.resumed === 0;
  let failures = 0;
  while (!progress.isWhole) {
    try {
      for await (const page of adapter.suppressed?.(patience.signal, progress.next) ?? []) {
        progress.add(page, Date.now());
        failures = 0;
        onPage();
        if (patience.signal.aborted) break;
      }
      patience.signal.throwIfAborted();
    } catch (error) {
      // A cursor of an earlier run may be known no more.
      if (!restarted && error instanceof CrmError && error.failure === 'rejected') progress.restart();
      else await waitOut(error, ++failures, patience);
      restarted = true;
    }
  }
}

/** Makes a call, again as long as the CRM asks for time. Throws CrmError. */
export async function patiently<T>(call: () => Promise<T>, patience: Patience): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await call();
    } catch (error) {
      await waitOut(error, failures, patience);
    }
  }
}

/** Failures that may pass by themselves. */
const PASSING = new Set<CrmError['failure']>(['throttled', 'paused', 'unavailable', 'unverified']);

/** Waits as long as the CRM asks, which its adapter bounds, and longer each time. Throws the error that is not to be waited out. */
async function waitOut(
  error: unknown,
  failures: number,
  { signal, onWait, wait = pause }: Patience,
): Promise<void> {
  signal.throwIfAborted();
  if (!(error instanceof CrmError) || !PASSING.has(error.failure) || failures > MOST_FAILURES) throw error;
  const ms = Math.max(error.afterMs ?? 0, Math.ceil(backoffMs(failures, BACKOFF)));
  onWait(error.code, ms);
  await wait(ms, signal);
  signal.throwIfAborted();
}
