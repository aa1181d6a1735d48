import { setTimeout as delay } from 'node:timers/promises';
import { tryLock } from '@email-events/core/process-lock';

export { type Lock, tryLock } from '@email-events/core/process-lock';

/** Runs the work while holding the lock; waits for it as long as it takes, or until the signal. */
export async function withLock<T>(
  path: string,
  work: () => Promise<T>,
  options: { signal?: AbortSignal | undefined; pollMs?: number } = {},
): Promise<T> {
  let lock = tryLock(path);
  while (lock === null) {
    await delay(options.pollMs ?? 200, undefined, options.signal ? { signal: options.signal } : {});
    lock = tryLock(path);
  }
  try {
    return await work();
  } finally {
    lock.release();
  }
}
