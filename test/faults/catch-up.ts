import { setTimeout as delay } from 'node:timers/promises';
import { type PipelineConfig, withAdmin } from '@email-events/core';
import { consumerGroups } from '@email-events/deploy/run/groups';
import type { GroupPosition } from '../src/invariants.ts';
import type { Target } from './schedule.ts';

/** What a consumer group has committed and what there is, on every partition of its input, at one moment. */
export interface Snapshot {
  /** On the clock of performance.now(). */
  readonly at: number;
  readonly positions: readonly GroupPosition[];
}

/** Groups whose work shows that all is well again after a fault of this target. */
const GROUPS_BEHIND: { readonly [target in Target]: readonly string[] } = {
  ingress: [],
  normalize: ['normalize'],
  events: ['events'],
  'sink-clickhouse': ['sink-clickhouse'],
  'sink-crm': ['sink-crm'],
  receiver: ['sink-crm'],
  kafka: ['normalize', 'events', 'sink-clickhouse', 'sink-crm'],
  registry: [],
  clickhouse: ['sink-clickhouse'],
};

const POLL_MS = 500;

/** Reads where all groups are, past the proxies. Throws while the broker is away. */
export function readPositions(config: PipelineConfig): Promise<GroupPosition[]> {
  return withAdmin(config.kafka, async (admin) => {
    const found: GroupPosition[] = [];
    // In the order of the flow: when the first group is through, the next one has all that it will have.
    for (const { group, topics } of consumerGroups(config)) {
      const committed = await admin.fetchOffsets({ groupId: group, topics: [...topics] });
      for (const { topic, partitions } of committed) {
        const ends = await admin.fetchTopicOffsets(topic);
        for (const { partition, high } of ends) {
          const offset = BigInt(partitions.find((entry) => entry.partition === partition)?.offset ?? -1);
          found.push({ group, topic, partition, committed: offset < 0n ? null : offset, end: BigInt(high) });
        }
      }
    }
    return found;
  });
}

/**
 * Watches how far the groups are, so that the time from a fault to its end can be told: everything that lay in the input
 * of the services concerned when it happened is committed.
 */
export class CatchUp {
  readonly #config: PipelineConfig;
  readonly #groupOf: ReadonlyMap<string, string>;
  readonly #abort = new AbortController();
  #newest: Snapshot = { at: 0, positions: [] };
  #watching: Promise<void> | undefined;

  constructor(config: PipelineConfig) {
    this.#config = config;
    this.#groupOf = new Map(consumerGroups(config).map(({ service, group }) => [service, group]));
  }

  start(): void {
    this.#watching = this.#watch();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#watching;
  }

  /** What there is now: the ends that must be passed. Taken before the harm is done. */
  mark(): Snapshot {
    return this.#newest;
  }

  /** Resolves with the moment at which the groups behind the target had passed the mark; undefined: never seen. */
  async passed(target: Target, mark: Snapshot, wellAt: number): Promise<number | undefined> {
    const groups = new Set(GROUPS_BEHIND[target].map((service) => this.#groupOf.get(service)));
    const ends = mark.positions.filter(({ group }) => groups.has(group));
    for (;;) {
      const { at, positions } = this.#newest;
      // What was read before the target was well may be of before the fault.
      if (ends.length === 0) return wellAt;
      if (at >= wellAt && ends.every((end) => isPast(positions, end))) return at;
      if (this.#abort.signal.aborted) return undefined;
      await delay(POLL_MS / 2);
    }
  }

  async #watch(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      const at = performance.now();
      try {
        this.#newest = { at, positions: await readPositions(this.#config) };
      } catch {
        // The broker is away: that is what is going on here.
      }
      await delay(POLL_MS, undefined, { signal }).catch(() => {});
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
