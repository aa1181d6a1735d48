import { setTimeout as delay } from 'node:timers/promises';
import { backlogIn, type GroupPosition } from '../src/invariants.ts';
import type { PositionWatch } from './positions.ts';
import { readStoreEvidence, type StoreEvidence } from './store-evidence.ts';
import type { TopicsEvidence } from './topics-evidence.ts';
import type { World } from './world.ts';

/** Longest time for everything to come to rest once nobody harms anything any more. */
export const REST_MS = 240_000;
const POLL_MS = 500;
const NOTE_MS = 15_000;
/** Whole samples in a row in which every group has committed everything. */
const QUIET_SAMPLES = 3;

/** Waits until every group has committed everything; after too long it says where they are. */
export async function rest(
  watch: PositionWatch,
  note: (line: string) => void,
  signal: AbortSignal,
): Promise<readonly GroupPosition[]> {
  const begin = performance.now();
  let notedAt = begin;
  while (performance.now() < begin + REST_MS) {
    const since = watch.samples.filter(({ at }) => at > begin).slice(-QUIET_SAMPLES);
    const isQuiet = since.every(({ positions }) => backlogIn(positions).length === 0);
    if (since.length === QUIET_SAMPLES && isQuiet) break;
    if (performance.now() - notedAt > NOTE_MS) {
      notedAt = performance.now();
      const backlog = backlogIn(watch.newest.positions);
      note(`  waiting for ${backlog.length} partitions: ${backlog.slice(0, 3).join('; ')}`);
    }
    await delay(POLL_MS, undefined, { signal });
  }
  return watch.newest.at > begin ? watch.newest.positions : [];
}

/** What was committed is in the table; a view may get its rows a moment later. */
export async function settledStore(world: World, { emitted }: TopicsEvidence): Promise<StoreEvidence> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const store = await readStoreEvidence(world.direct, world.receiverUrl);
    const settled =
      store.rows.length === emitted.length && store.rollups.every(({ differs }) => differs.length === 0);
    if (settled || performance.now() > deadline) return store;
    await delay(POLL_MS);
  }
}
