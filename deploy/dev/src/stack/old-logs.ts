import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';

/** Logs of runs before this one that stay: what went wrong is often not of the last start. */
export const OLD_LOGS = 5;

/** The log begins anew; those before stay beside it, the last one as `.1`. */
export function keepOldLogs(file: string): void {
  mkdirSync(dirname(file), { recursive: true });
  for (let age = OLD_LOGS - 1; age >= 0; age--) {
    const from = oldLog(file, age);
    if (existsSync(from)) renameSync(from, oldLog(file, age + 1));
  }
}

/** Of so many starts ago; 0: the log itself. */
export const oldLog = (file: string, age: number): string => (age === 0 ? file : `${file}.${age}`);
