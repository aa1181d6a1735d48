import { forkWatchdog } from '../fork-watchdog.ts';
import type { WatchdogMessage } from './watchdog.ts';

/** The parent's end of the watchdog process. */
export interface Watchdog {
  watch(pid: number): void;
  forget(pid: number): void;
  /** Ends the process. Everything it watched must have been forgotten. */
  close(): Promise<void>;
}

export function startWatchdog(): Watchdog {
  const watchdog = forkWatchdog(new URL('./watchdog.ts', import.meta.url));
  const send = (message: WatchdogMessage) => watchdog.send(message);
  return {
    watch: (pid) => send({ watch: pid }),
    forget: (pid) => send({ forget: pid }),
    close: () => watchdog.close((child) => child.disconnect()),
  };
}
