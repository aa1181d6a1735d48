// Runs on any Node from 18 and needs nothing installed.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const BIN = join(ROOT, 'node_modules', '.bin');
/** The Node that the project runs on: an npm package, so that the machine's own does not matter. */
export const NODE = join(BIN, 'node');

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGWINCH'];
// Ctrl-C arrives from the terminal and, under npm, from npm once more: the same key press.
const SAME_PRESS_MS = 300;

/** Compiled code of earlier runs: halves the time that a process takes to start. */
export const COMPILE_CACHE = process.env.NODE_COMPILE_CACHE ?? join(ROOT, '.email-events', 'cache');

/**
 * Runs a script of the project under its own Node, or the one that is given, and resolves with the exit code to leave with.
 *
 * The child is started in a new session, so that Ctrl-C reaches it only from here and exactly once. Should this process
 * be killed, the IPC channel closes and `stop-with-parent.mjs` stops the child.
 */
export function runUnderProjectNode(args, node = NODE) {
  const stopWithParent = new URL('./stop-with-parent.mjs', import.meta.url).href;
  const child = spawn(node, ['--import', stopWithParent, ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    detached: true,
    env: {
      ...process.env,
      NODE_COMPILE_CACHE: COMPILE_CACHE,
      PATH: `${BIN}${delimiter}${process.env.PATH ?? ''}`,
    },
  });
  let lastSignal = '';
  let lastAt = 0;
  for (const signal of FORWARDED) {
    process.on(signal, () => {
      const at = Date.now();
      const repeated = signal === lastSignal && at - lastAt < SAME_PRESS_MS;
      lastSignal = signal;
      lastAt = at;
      if (!repeated) child.kill(signal);
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
  });
}
