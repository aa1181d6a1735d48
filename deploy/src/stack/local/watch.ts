import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { WatchdogMessage } from './watchdog.ts';

/** The parent's end of the watchdog process. */
export interface Watchdog {
  watch(pid: number): void;
  forget(pid: number): void;
  /** Ends the process. Everything it watched must have been forgotten. */
  close(): Promise<void>;
}

export function startWatchdog(): Watchdog {
  const child = fork(fileURLToPath(new URL('./watchdog.ts', import.meta.url)), [], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    execArgv: [],
  });
  child.unref();
  child.channel?.unref();
  child.on('error', () => {});
  const send = (message: WatchdogMessage) => {
    if (child.connected) child.send(message, () => {});
  };
  return {
    watch: (pid) => send({ watch: pid }),
    forget: (pid) => send({ forget: pid }),
    close: () => disconnect(child),
  };
}

async function disconnect(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.ref();
  const exited = once(child, 'exit');
  if (child.connected) child.disconnect();
  await exited;
}
