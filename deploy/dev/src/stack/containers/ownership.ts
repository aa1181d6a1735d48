import { statSync } from 'node:fs';
import { hostname } from 'node:os';
import { tryLock } from '../lock.ts';
import { lockFile } from '../running.ts';
import { DATA_DIR_LABEL, HOST_LABEL, type Labels, REUSE_LABEL } from './labels.ts';

/**
 * What is with something that carries a stack's labels. `running`: a process lives that runs the stack; `kept`: for
 * reuse, on purpose; `left`: by a process that is gone; `elsewhere`: of another machine, where alone that can be told.
 */
export type Use = 'running' | 'kept' | 'left' | 'elsewhere';

/** `claimed`: data directory whose lock the caller holds, so that nobody else runs a stack there. */
export function useOf(labels: Labels, claimed?: string): Use {
  if (labels[HOST_LABEL] !== hostname()) return 'elsewhere';
  const dataDir = labels[DATA_DIR_LABEL] ?? '';
  if (dataDir !== claimed && mayHaveOwner(dataDir)) return 'running';
  return labels[REUSE_LABEL] === 'true' ? 'kept' : 'left';
}

const ABSENT: readonly unknown[] = ['ENOENT', 'ENOTDIR'];

/**
 * The lock goes with its holder, so whoever can take it knows that there is none. Where it cannot be looked at, as in
 * the folder of another user, there may well be one.
 */
function mayHaveOwner(dataDir: string): boolean {
  const file = lockFile(dataDir);
  try {
    statSync(file);
    const lock = tryLock(file);
    lock?.release();
    return lock === null;
  } catch (error) {
    return !ABSENT.includes((error as NodeJS.ErrnoException).code);
  }
}
