import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A process that outlives this one by a moment and cleans up after it; it learns of the end by its channel. */
export interface WatchdogProcess {
  /** Does nothing if it is gone. */
  send(message: string | object): void;
  /** Resolves when it has ended. `farewell` must make it end. */
  close(farewell: (child: ChildProcess) => void): Promise<void>;
}

/** `file`: its main file. It keeps nothing here alive, and no Ctrl-C reaches it: it has a session of its own. */
export function forkWatchdog(file: URL, args: readonly string[] = []): WatchdogProcess {
  const child = fork(fileURLToPath(file), [...args], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    execArgv: [],
  });
  child.unref();
  child.channel?.unref();
  child.on('error', () => {});
  return {
    send(message) {
      if (child.connected) child.send(message, () => {});
    },
    async close(farewell) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.ref();
      const exited = once(child, 'exit');
      if (child.connected) farewell(child);
      await exited;
    },
  };
}
