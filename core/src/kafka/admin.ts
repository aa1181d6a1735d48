import { setTimeout as delay } from 'node:timers/promises';
import type { Admin } from 'kafkajs';
import { pino } from 'pino';
import type { PipelineConfig } from '../config/index.ts';
import { PipelineError } from '../errors.ts';
import { createKafka } from './client.ts';
import { problemOf } from './crash.ts';

export type KafkaSettings = PipelineConfig['kafka'];

/** For commands that print their own messages: what the client would log arrives as a rejection. */
export const silentLog = pino({ level: 'silent' });

/** Runs the work with a connected admin client. A cluster that does not answer is KAFKA_UNREACHABLE. */
export async function withAdmin<T>(settings: KafkaSettings, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = createKafka(settings, 'admin', silentLog).admin({
    retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 6 },
  });
  try {
    await admin.connect();
    return await work(admin);
  } catch (error) {
    throw unreachable(error, settings) ?? error;
  } finally {
    await admin.disconnect();
  }
}

const SETTLE_MS = 30_000;
const RETRY_MS = 100;

/**
 * The same for work that only reads, so that it can be done again: right after a topic was created or a broker came
 * back, some answers are errors that pass (no leader yet, a coordinator that loads).
 */
export function readWithAdmin<T>(settings: KafkaSettings, work: (admin: Admin) => Promise<T>): Promise<T> {
  return withAdmin(settings, async (admin) => {
    const deadline = performance.now() + SETTLE_MS;
    for (;;) {
      try {
        return await work(admin);
      } catch (error) {
        if ((error as { retriable?: unknown }).retriable !== true || performance.now() > deadline)
          throw error;
        await delay(RETRY_MS);
      }
    }
  });
}

/** The coded error if the broker could not be reached at all, undefined if it is about something else. */
export function unreachable(error: unknown, { brokers }: KafkaSettings): PipelineError | undefined {
  if (error instanceof PipelineError || problemOf(error) !== 'KAFKA_UNREACHABLE') return undefined;
  return new PipelineError('KAFKA_UNREACHABLE', 'retry', `no broker answers at ${brokers.join(', ')}`, {
    cause: error,
  });
}
