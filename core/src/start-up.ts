import { codeOf } from './errors.ts';
import type { Logger } from './log.ts';
import { retry } from './retry.ts';

export interface StartUpWait {
  readonly log: Logger;
  /** What is waited for, for the log. */
  readonly what: string;
  readonly deadlineMs?: number;
  readonly pauseMs?: number;
}

/** Codes that mean: not there yet. Everything else is wrong for good, or at least not for waiting. */
const NOT_THERE: readonly string[] = ['KAFKA_UNREACHABLE', 'REGISTRY_UNREACHABLE'];
const DEADLINE_MS = 60_000;
const PAUSE_MS = 1_000;

/**
 * Does what a service needs others for while it starts. Where everything starts at the same time, brokers and registry
 * may come last: they are asked again, with a log line each time, until the deadline. Then the last error is thrown.
 */
export function whenThere<T>(work: () => Promise<T>, wait: StartUpWait): Promise<T> {
  const { log, what, deadlineMs = DEADLINE_MS, pauseMs = PAUSE_MS } = wait;
  return retry(work, {
    forMs: deadlineMs,
    backoff: { firstMs: pauseMs, longestMs: pauseMs },
    passes: (error) => NOT_THERE.includes(codeOf(error)),
    onRetry: (error, attempt) =>
      log.warn({ code: codeOf(error), what, attempt }, 'not there yet; asked again'),
  });
}
