import { setTimeout as delay } from 'node:timers/promises';
import { backlogIn, type GroupPosition } from '../src/invariants.ts';
import { behind } from './concerns.ts';
import { readStoreEvidence, type StoreEvidence, type TopicsEvidence } from './evidence.ts';
import type { PositionWatch, Snapshot } from './positions.ts';
import { SERVICES, type Target } from './targets.ts';
import type { World } from './world.ts';

/** Longest time for everything to come to rest after the last fault has ended. */
export const REST_MS = 240_000;
const POLL_MS = 500;
const NOTE_MS = 15_000;
/** Whole samples in a row in which every group has committed everything. */
const QUIET_SAMPLES = 3;

/** Nothing is broken any more: who commits nothing for so long will not do it later either. */
const STUCK_MS = 90_000;

/** Waits until every group has committed everything, or is stuck; then it says where they are. */
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
    if (isStuck(watch, begin)) break;
    if (performance.now() - notedAt > NOTE_MS) {
      notedAt = performance.now();
      const backlog = backlogIn(watch.newest.positions);
      note(`  waiting for ${backlog.length} partitions: ${backlog.slice(0, 3).join('; ')}`);
    }
    await delay(POLL_MS, undefined, { signal });
  }
  return watch.newest.at > begin ? watch.newest.positions : [];
}

/** Whether no group has committed anything for long. */
function isStuck({ samples, newest }: PositionWatch, begin: number): boolean {
  const before = samples.findLast(({ at }) => at > begin && at < newest.at - STUCK_MS);
  return before !== undefined && progressOf(before) === progressOf(newest);
}

const progressOf = ({ positions }: Snapshot) =>
  positions.map(({ committed, end }) => `${committed}/${end}`).join(' ');

/** The readiness of every instance in its own words, for a reader who wonders why there is no rest. */
export async function conditions(world: World): Promise<string[]> {
  const instances = SERVICES.flatMap((service) => world.instancesOf(service));
  return Promise.all(
    instances.map(async ({ name, adminPort }) => {
      if (adminPort === undefined) return `${name}: no port`;
      const url = `http://127.0.0.1:${adminPort}/readyz`;
      try {
        const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
        return `${name}: ${answer.status} ${(await answer.text()).trim()}`;
      } catch (error) {
        return `${name}: ${error}`;
      }
    }),
  );
}

/** The sink commits only rows that are in the table; a view may get its rows a moment later. */
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

const CATCH_UP_POLL_MS = 250;

/**
 * How long it takes from a fault to its end: everything that lay in the input of the services concerned when it happened
 * is committed.
 */
export class CatchUp {
  readonly #watch: PositionWatch;
  readonly #groupOf: ReadonlyMap<string, string>;

  constructor(watch: PositionWatch, groupOf: ReadonlyMap<string, string>) {
    this.#watch = watch;
    this.#groupOf = groupOf;
  }

  /** The ends that there are now, which must be passed. Taken before the harm is done. */
  mark(): Snapshot {
    return this.#watch.newest;
  }

  /** Resolves with the moment at which the groups behind the target had passed the mark; undefined: never seen. */
  async passed(target: Target, mark: Snapshot, wellAt: number): Promise<number | undefined> {
    const groups = new Set(behind(target).map((service) => this.#groupOf.get(service)));
    const ends = mark.positions.filter(({ group }) => groups.has(group));
    for (;;) {
      const { at, answeredAt, positions } = this.#watch.newest;
      // A sample from before the target was well may be from before the fault.
      if (ends.length === 0) return wellAt;
      if (at >= wellAt && ends.every((end) => isPast(positions, end))) return answeredAt;
      if (this.#watch.isOver) return undefined;
      await delay(CATCH_UP_POLL_MS);
    }
  }
}

function isPast(positions: readonly GroupPosition[], mark: GroupPosition): boolean {
  const now = positions.find(
    ({ group, topic, partition }) =>
      group === mark.group && topic === mark.topic && partition === mark.partition,
  );
  return (now?.committed ?? 0n) >= mark.end;
}
