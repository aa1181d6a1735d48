import { setTimeout as delay } from 'node:timers/promises';
import type { GroupPosition } from '../src/invariants.ts';
import { behind } from './concerns.ts';
import type { PositionWatch, Snapshot } from './positions.ts';
import type { Target } from './targets.ts';

const POLL_MS = 250;

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

  /** What there is now: the ends that must be passed. Taken before the harm is done. */
  mark(): Snapshot {
    return this.#watch.newest;
  }

  /** Resolves with the moment at which the groups behind the target had passed the mark; undefined: never seen. */
  async passed(target: Target, mark: Snapshot, wellAt: number): Promise<number | undefined> {
    const groups = new Set(behind(target).map((service) => this.#groupOf.get(service)));
    const ends = mark.positions.filter(({ group }) => groups.has(group));
    for (;;) {
      const { at, positions } = this.#watch.newest;
      // What was read before the target was well may be of before the fault.
      if (ends.length === 0) return wellAt;
      if (at >= wellAt && ends.every((end) => isPast(positions, end))) return at;
      if (this.#watch.isOver) return undefined;
      await delay(POLL_MS);
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
