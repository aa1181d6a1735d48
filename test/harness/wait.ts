import { setTimeout as delay } from 'node:timers/promises';

const SHORTEST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 200;
/** Of the time that it has waited for. */
const PAUSE_SHARE = 1 / 20;

/**
 * Polls until the condition holds; an error counts as "not yet" and is the cause if it never does. The longer it takes, the
 * longer are the pauses: a question costs what is waited for the machine's time, and other tests run beside.
 */
export async function waitFor(what: string, condition: () => unknown, deadlineMs = 30_000): Promise<void> {
  const begin = performance.now();
  const deadline = begin + deadlineMs;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      if (await condition()) return;
      last = undefined;
    } catch (error) {
      last = error;
    }
    const pauseMs = Math.max(SHORTEST_PAUSE_MS, (performance.now() - begin) * PAUSE_SHARE);
    await delay(Math.min(LONGEST_PAUSE_MS, pauseMs));
  }
  throw new Error(`not within ${deadlineMs} ms: ${what}`, { cause: last });
}
