import { codeOf, PipelineError } from './errors.ts';
import { retry } from './retry.ts';
import type { Logger } from './telemetry.ts';

/** A running service: what `start` hands back. */
export interface RunningService {
  /** Ports it listens on, for a caller that started it with port 0. */
  readonly ports: { readonly [name: string]: number };
  /**
   * Stops taking work, finishes or hands over what is under way, commits, closes. Each step has its deadline.
   * May be called twice; never throws.
   */
  stop(): Promise<void>;
  /** Resolves when it has stopped; rejects with the error that made it stop by itself. */
  readonly done: Promise<void>;
}

export interface StopStep {
  readonly name: string;
  readonly deadlineMs: number;
  run(): Promise<unknown> | unknown;
}

/** Runs the steps in order; one that fails or takes too long is logged and does not keep the rest from running. */
export async function runStopSteps(steps: readonly StopStep[], log: Logger): Promise<void> {
  for (const step of steps) {
    try {
      await withDeadline(Promise.resolve(step.run()), step.deadlineMs, step.name);
    } catch (error) {
      log.error({ code: codeOf(error), step: step.name, err: error }, 'a step of the shutdown failed');
    }
  }
}

/** Rejects with SERVICE_STOP_TIMEOUT if the promise is not settled in time. The work itself goes on. */
export function withDeadline<T>(promise: Promise<T>, deadlineMs: number, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () =>
        reject(
          new PipelineError('SERVICE_STOP_TIMEOUT', 'fatal', `${what}: not done after ${deadlineMs} ms`),
        ),
      deadlineMs,
    );
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/**
 * The main function of a service process: SIGTERM and SIGINT stop it, a parent that goes away stops it
 * (IPC channel), and the exit code says whether it stopped as asked (0) or by itself (1).
 * Asked while it starts, it ends at once: nothing is acknowledged or committed by then that a crash could not end too.
 */
export async function runAsProcess(start: () => Promise<RunningService>, log: Logger): Promise<void> {
  let stop: () => void = () => process.exit(0);
  const asked = () => stop();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, asked);
  process.on('disconnect', asked);
  try {
    const service = await start();
    const stopped = Promise.withResolvers<void>();
    let stopping: Promise<void> | undefined;
    stop = () => {
      stopping ??= service.stop().finally(stopped.resolve);
    };
    tellParent(service, stop);
    // Work that a stop left behind at its deadline may never end: the process ends all the same.
    await Promise.race([service.done, stopped.promise]);
    await stopping;
  } catch (error) {
    log.fatal({ code: codeOf(error), err: error }, 'stopped by an error');
    process.exit(1);
  }
  process.exit(0);
}

/** A parent that has gone already stops the service: no disconnect follows. */
function tellParent({ ports }: RunningService, stop: () => void): void {
  if (!process.send) return;
  if (!process.connected) stop();
  else process.send({ ready: true, ports }, (error: Error | null) => error && stop());
}

export interface StartUpWait {
  readonly log: Logger;
  /** The name for the log of what is waited for. */
  readonly what: string;
  readonly deadlineMs?: number;
  readonly pauseMs?: number;
}

/** Codes that mean: not there yet. Everything else is wrong for good, or at least not for waiting. */
const NOT_THERE: readonly string[] = ['KAFKA_UNREACHABLE', 'KAFKA_TOKEN_REFUSED', 'REGISTRY_UNREACHABLE'];
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
    retryIf: (error) => NOT_THERE.includes(codeOf(error)),
    onRetry: (error, attempt) =>
      log.warn({ code: codeOf(error), what, attempt }, 'not there yet; asked again'),
  });
}
