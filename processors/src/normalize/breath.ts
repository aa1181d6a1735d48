import { setImmediate as othersTurn } from 'node:timers/promises';

/** A heartbeat, an answer to a probe and other partitions wait no longer than this, and one item. Milliseconds. */
const SLICE_MS = 10;

/** Long work on one thread: says when others are due, and lets them. */
export class Breath {
  private since = performance.now();

  get isDue(): boolean {
    return performance.now() - this.since > SLICE_MS;
  }

  async take(): Promise<void> {
    await othersTurn();
    this.since = performance.now();
  }
}
