import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

// A watchdog is a process that outlives this one by a moment and cleans up after it. It learns of this one's end by the
// channel between them.

/** Message to the watchdog of processes: the pid of a process that this one has started, or that has ended. */
export type WatchdogMessage = { readonly watch: number } | { readonly forget: number };

/** Ends processes that this one leaves. */
export interface ProcessWatchdog {
  watch(pid: number): void;
  forget(pid: number): void;
  /** Ends the watchdog. All processes that it watches must have been forgotten. */
  close(): Promise<void>;
}

export function watchProcesses(): ProcessWatchdog {
  const watchdog = forkWatchdog(new URL('./local/watchdog.ts', import.meta.url));
  const send = (message: WatchdogMessage) => {
    if (watchdog.connected) watchdog.send(message, () => {});
  };
  return {
    watch: (pid) => send({ watch: pid }),
    forget: (pid) => send({ forget: pid }),
    close: () => closed(watchdog, () => watchdog.disconnect()),
  };
}

/** Removes the containers and networks of a stack that this process leaves. */
export interface ContainersWatchdog {
  /** Ends the watchdog, which leaves everything as it is. */
  close(): Promise<void>;
}

export function watchContainers(stackId: string): ContainersWatchdog {
  const watchdog = forkWatchdog(new URL('./containers/watchdog.ts', import.meta.url), [stackId]);
  return { close: () => closed(watchdog, () => void watchdog.send('done', () => {})) };
}

/** Does not keep this process alive. In a new session, so that Ctrl-C in the terminal does not reach it. */
function forkWatchdog(file: URL, args: readonly string[] = []): ChildProcess {
  const child = fork(fileURLToPath(file), [...args], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    execArgv: [],
  });
  child.unref();
  child.channel?.unref();
  child.on('error', () => {});
  return child;
}

/** Resolves when it has ended. `dismiss` must make it end. */
async function closed(child: ChildProcess, dismiss: () => void): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.ref();
  const exited = once(child, 'exit');
  if (child.connected) dismiss();
  await exited;
}
