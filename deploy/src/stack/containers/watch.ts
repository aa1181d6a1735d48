import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** The parent's end of the watchdog process. */
export interface Watchdog {
  /** Ends the process, which leaves everything as it is. */
  close(): Promise<void>;
}

export function startWatchdog(stackId: string): Watchdog {
  // In a session of its own, so that no Ctrl-C reaches it.
  const child = fork(fileURLToPath(new URL('./watchdog.ts', import.meta.url)), [stackId], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    execArgv: [],
  });
  child.unref();
  child.channel?.unref();
  child.on('error', () => {});
  return {
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.ref();
      const exited = once(child, 'exit');
      if (child.connected) child.send('done', () => {});
      await exited;
    },
  };
}
