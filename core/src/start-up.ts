import { setTimeout as pause } from 'node:timers/promises';
import { codeOf } from './errors.ts';
import type { Logger } from './log.ts';

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
export async function whenThere<T>(work: () => Promise<T>, wait: StartUpWait): Promise<T> {
  const { log, what, deadlineMs = DEADLINE_MS, pauseMs = PAUSE_MS } = wait;
  const deadline = performance.now() + deadlineMs;
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const code = codeOf(error);
      if (!NOT_THERE.includes(code) || performance.now() + pauseMs > deadline) throw error;
      log.warn({ code, what, attempt }, 'not there yet; asked again');
      await pause(pauseMs);
    }
  }
}
