import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Main file of a small process that outlives its parent by a moment: when the parent is gone, however it went, it
 * removes the containers and networks of the parent's stack. Argument: the stack's id. A parent that has removed them
 * itself says `done` first.
 */
const GRACE_MS = 5_000;
const AGAIN_MS = 250;

const [stackId] = process.argv.slice(2);
if (!stackId) process.exit(2);
process.on('message', () => process.exit(0));
await once(process, 'disconnect');

// Loaded only now: as long as its parent lives, this process is to cost as little as it can.
const [{ connectEngine }, { removeStack }] = await Promise.all([
  import('./engine.ts'),
  import('./ownership.ts'),
]);
const engine = await connectEngine();
// Not once: a container that was being created when the parent died appears a moment later.
for (let quietSince = Date.now(); Date.now() - quietSince < GRACE_MS; await delay(AGAIN_MS)) {
  try {
    const { containers, networks } = await removeStack(engine, stackId);
    if (containers + networks > 0) quietSince = Date.now();
  } catch {
    // A network that a container is just leaving; the next round removes it.
  }
}
