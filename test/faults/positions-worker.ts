import { setTimeout as delay } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { readPositions, type Watched } from './positions.ts';

// The thread of a `PositionWatch`: tells it each whole sample, in epoch milliseconds, until it is terminated.

const SAMPLE_MS = 1_000;
/** An answer that takes longer is none: the broker that was asked may be frozen. */
const PATIENCE_MS = 5_000;

const now = () => performance.timeOrigin + performance.now();

async function sample() {
  try {
    const late = delay(PATIENCE_MS, undefined, { ref: false });
    return await Promise.race([readPositions(workerData as Watched), late]);
  } catch {
    // A broker is away, or a leader has just moved: that is what is going on here.
    return undefined;
  }
}

for (;;) {
  const at = now();
  const positions = await sample();
  const answeredAt = now();
  if (positions) parentPort?.postMessage({ at, answeredAt, positions });
  await delay(Math.max(0, at + SAMPLE_MS - answeredAt));
}
