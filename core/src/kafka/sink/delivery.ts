import { CodedError } from '@email-events/schemas/errors';
import { codeOf } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import { type Backoff, pause, retry } from '../../retry.ts';
import { isFatal } from '../errors.ts';

/** The assignment under which a lane works has ended; the partition's new owner goes on. */
export class LaneLost extends CodedError<'KAFKA_FENCED'> {
  override readonly name = 'LaneLost';

  constructor() {
    super('KAFKA_FENCED', 'the partition was assigned to another instance');
  }
}

export const BACKOFF: Backoff = { firstMs: 100, longestMs: 10_000 };

/** Waits; throws LaneLost if the lane ends meanwhile. */
export async function pauseFor(ms: number, lost: AbortSignal): Promise<void> {
  await pause(ms, lost);
  if (lost.aborted) throw new LaneLost();
}

/** Tries until it works or the lane is lost: for what only Kafka being down can keep from working. What is fatal is thrown. */
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
      passes: (error) => !(error instanceof LaneLost) && !isFatal(error),
      onRetry: (error, failures) => {
        if (failures > 1)
          log.warn({ code: codeOf(error), attempt: failures - 1 }, `${what} failed and is tried again`);
      },
    });
  } catch (error) {
    throw lost.aborted && !isFatal(error) ? new LaneLost() : error;
  }
}
