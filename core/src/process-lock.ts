import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

const SQLITE_BUSY = 5;

/**
 * A lock between processes that the operating system takes back when its holder dies, however it dies:
 * SQLite's exclusive transaction on an otherwise empty file. A lock file with a pid in it would need rules
 * for stale ones, and those have races.
 */
export interface Lock {
  release(): void;
}

/** Null if another holder has it. Makes the folder if need be. */
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
