import type { Admin } from 'kafkajs';
import { pino } from 'pino';
import type { CommonConfig } from '../config/index.ts';
import { retry } from '../retry.ts';
import { createKafka } from './client.ts';
import { mayPass, unreachable } from './errors.ts';

export type KafkaSettings = CommonConfig['kafka'];

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
const PAUSE_MS = 100;

/**
 * The same for work that only reads, so that it can be done again: right after a topic was created or a broker came
 * back, some answers are errors that pass (no leader yet, a coordinator that loads).
 */
export function readWithAdmin<T>(settings: KafkaSettings, work: (admin: Admin) => Promise<T>): Promise<T> {
  const backoff = { firstMs: PAUSE_MS, longestMs: PAUSE_MS };
  return withAdmin(settings, (admin) =>
    retry(() => work(admin), { forMs: SETTLE_MS, backoff, passes: mayPass }),
  );
}
