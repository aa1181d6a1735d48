import { forkWatchdog } from '../fork-watchdog.ts';

/** The parent's end of the watchdog process. */
export interface Watchdog {
  /** Ends the process, which leaves everything as it is. */
  close(): Promise<void>;
}

export function startWatchdog(stackId: string): Watchdog {
  const watchdog = forkWatchdog(new URL('./watchdog.ts', import.meta.url), [stackId]);
  return { close: () => watchdog.close((child) => void child.send('done', () => {})) };
}
