import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { WatchdogMessage } from '../watchdog.ts';

/**
 * Main file of a small process that outlives its parent by a moment: it is told the pids of the components, and when
 * the parent is gone, however it went, it ends those that are left. The components run in sessions of their own,
 * so that Ctrl-C reaches only the parent, which then stops them in order; this is for when it could not.
 */
const TERM_DEADLINE_MS = 10_000;
const pids = new Set<number>();

process.on('message', (message: WatchdogMessage) => {
  if ('watch' in message) pids.add(message.watch);
  else pids.delete(message.forget);
});
await once(process, 'disconnect');

for (const pid of pids) {
  send(pid, 'SIGTERM');
  // A frozen process acts on nothing until it is woken.
  send(pid, 'SIGCONT');
}
for (const deadline = Date.now() + TERM_DEADLINE_MS; Date.now() < deadline && anyAlive(); ) await delay(50);
for (const pid of pids) send(pid, 'SIGKILL');

function anyAlive(): boolean {
  return [...pids].some((pid) => send(pid, 0));
}

function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    pids.delete(pid);
    return false;
  }
}
