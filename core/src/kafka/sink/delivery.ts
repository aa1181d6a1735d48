import { setTimeout as sleep } from 'node:timers/promises';
import { CodedError } from '@email-events/schemas/errors';
import { codeOf, PipelineError } from '../../errors.ts';
import type { Logger } from '../../log.ts';

/** The assignment under which a lane works has ended; whoever owns it now goes on. */
export class LaneLost extends CodedError<'KAFKA_FENCED'> {
  override readonly name = 'LaneLost';

  constructor() {
    super('KAFKA_FENCED', 'the partition was assigned to another instance');
  }
}

/** How long to wait before a try, with full jitter: members that failed together do not come back together. */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  return Math.ceil(random() * Math.min(10_000, 100 * 2 ** Math.min(attempt, 10)));
}

/** Waits; throws LaneLost if the lane ends meanwhile. */
export async function pauseFor(ms: number, lost: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal: lost });
  } catch {
    throw new LaneLost();
  }
}

/** Tries until it works or the lane is lost: for what only Kafka being down can keep from working. What is fatal is thrown. */
export async function persist<T>(
  what: string,
  work: () => Promise<T>,
  lost: AbortSignal,
  log: Logger,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    if (lost.aborted) throw new LaneLost();
    try {
      return await work();
    } catch (error) {
      if (error instanceof LaneLost) throw error;
      if (error instanceof PipelineError && error.disposition === 'fatal') throw error;
      if (attempt > 0) log.warn({ code: codeOf(error), attempt }, `${what} failed and is tried again`);
      await pauseFor(backoffMs(attempt), lost);
    }
  }
}
