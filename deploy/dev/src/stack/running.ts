import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tryLock } from './lock.ts';
import type { ComponentName, StackAddresses } from './stack.ts';

/** What a local stack leaves in its data directory while it runs, for commands in other terminals. */
export interface RunningStack extends StackAddresses {
  /** Process that started it and that stops it on SIGTERM. */
  readonly pid: number;
  readonly components: readonly { readonly name: ComponentName; readonly logFile: string }[];
}

export const lockFile = (dataDir: string) => join(dataDir, 'stack.lock');
const stateFile = (dataDir: string) => join(dataDir, 'stack.json');

export function writeRunning(dataDir: string, running: RunningStack): void {
  writeFileSync(stateFile(dataDir), `${JSON.stringify(running, null, 2)}\n`);
}

export function clearRunning(dataDir: string): void {
  rmSync(stateFile(dataDir), { force: true });
}

/** The local stack that runs on this data directory now; null if none does, whatever a dead one left behind. */
export function readRunningStack(dataDir: string): RunningStack | null {
  let text: string;
  try {
    text = readFileSync(stateFile(dataDir), 'utf8');
  } catch {
    return null;
  }
  const lock = tryLock(lockFile(dataDir));
  if (lock === null) return JSON.parse(text);
  lock.release();
  return null;
}
