import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';

const SQLITE_BUSY = 5;

/**
 * A lock between processes that the operating system takes back when its holder dies, however it dies:
 * SQLite's exclusive transaction on an otherwise empty file. A lock file with a pid in it would need rules
 * for stale ones, and those have races.
 */
export interface Lock {
  release(): void;
}

/** Null if another holder has it. */
export function tryLock(path: string): Lock | null {
  mkdirSync(dirname(path), { recursive: true });
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if ((error as { errcode?: unknown }).errcode === SQLITE_BUSY) return null;
    throw error;
  }
  let held = true;
  return {
    release() {
      if (held) database.close();
      held = false;
    },
  };
}

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
