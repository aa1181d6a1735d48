import { setTimeout as delay } from 'node:timers/promises';
import { createKafka, type PipelineConfig, silentLog, withAdmin } from '@email-events/core';
import { consumerGroups } from '@email-events/deploy/run/groups';
import { topicCatalogue } from '@email-events/schemas';
import type { GroupPosition } from '../src/invariants.ts';

/** What a consumer group has committed and what there is, on every partition of its input, at one moment. */
export interface Snapshot {
  /** When it was asked for, on the clock of performance.now(). */
  readonly at: number;
  readonly positions: readonly GroupPosition[];
}

type Admin = ReturnType<ReturnType<typeof createKafka>['admin']>;
type Offsets = readonly { readonly partition: number; readonly offset: string }[];

const SAMPLE_MS = 1_000;
/** An answer that takes longer is none: the broker that was asked may be frozen. */
const PATIENCE_MS = 8_000;
const FEW_TRIES = { retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 2 }, requestTimeout: 3_000 };

/**
 * Reads about once a second where all groups are, past the proxies. A sample is whole or it is none: what an answer does
 * not mention is not known, and must not pass for "nothing to do".
 */
export class PositionWatch {
  /** All whole samples, in order. */
  readonly samples: Snapshot[] = [];
  readonly groups: readonly string[];
  readonly #config: PipelineConfig;
  readonly #abort = new AbortController();
  #admin: Admin | undefined;
  #watching: Promise<void> | undefined;

  constructor(config: PipelineConfig) {
    this.#config = config;
    this.groups = consumerGroups(config).map(({ group }) => group);
  }

  get newest(): Snapshot {
    return this.samples.at(-1) ?? { at: 0, positions: [] };
  }

  get isOver(): boolean {
    return this.#abort.signal.aborted;
  }

  start(): void {
    this.#watching = this.#watch();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#watching;
    await this.#leave();
  }

  async #watch(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      const at = performance.now();
      const positions = await this.#sample();
      if (positions) this.samples.push({ at, positions });
      const left = at + SAMPLE_MS - performance.now();
      await delay(Math.max(0, left), undefined, { signal }).catch(() => {});
    }
  }

  async #sample(): Promise<readonly GroupPosition[] | undefined> {
    const late = delay(PATIENCE_MS, undefined, { ref: false });
    try {
      const positions = await Promise.race([
        this.#connected().then((admin) => readWith(admin, this.#config)),
        late,
      ]);
      if (positions) return positions;
    } catch {
      // A broker is away: that is what is going on here.
    }
    // Whatever state this client is in, the next one has none.
    await this.#leave();
    return undefined;
  }

  async #connected(): Promise<Admin> {
    if (this.#admin) return this.#admin;
    const admin = createKafka(this.#config.kafka, 'watch', silentLog, FEW_TRIES).admin();
    this.#admin = admin;
    await admin.connect();
    await introduce(admin, this.#config);
    return admin;
  }

  async #leave(): Promise<void> {
    const admin = this.#admin;
    this.#admin = undefined;
    await Promise.race([admin?.disconnect().catch(() => {}), delay(PATIENCE_MS, undefined, { ref: false })]);
  }
}

/** The same once. Throws while a broker is away, or if an answer is not whole. */
export function readPositions(config: PipelineConfig): Promise<GroupPosition[]> {
  return withAdmin(config.kafka, async (admin) => {
    await introduce(admin, config);
    return readWith(admin, config);
  });
}

/** One topic after the other: the client's answers lack topics that it comes to know at the same time. */
async function introduce(admin: Admin, config: PipelineConfig): Promise<void> {
  const names = new Set(consumerGroups(config).flatMap(({ topics }) => topics));
  for (const topic of names) await admin.fetchTopicOffsets(topic);
}

async function readWith(admin: Admin, config: PipelineConfig): Promise<GroupPosition[]> {
  const partitions = new Map(topicCatalogue(config.topics).map((topic) => [topic.name, topic.partitions]));
  const found: GroupPosition[] = [];
  // In the order of the flow: when the first group is through, the next one has all that it will have.
  for (const { group, topics } of consumerGroups(config)) {
    const [answer, ends] = await Promise.all([
      admin.fetchOffsets({ groupId: group, topics: [...topics] }),
      Promise.all(topics.map(async (topic) => admin.fetchTopicOffsets(topic))),
    ]);
    for (const [i, topic] of topics.entries()) {
      const committed = answer.find((entry) => entry.topic === topic)?.partitions ?? [];
      found.push(...positionsIn(group, topic, partitions.get(topic) ?? 0, committed, ends[i] ?? []));
    }
  }
  return found;
}

/** Every partition of a topic out of two answers. Throws if one of them lacks a partition. */
export function positionsIn(
  group: string,
  topic: string,
  partitions: number,
  committed: Offsets,
  ends: Offsets,
): GroupPosition[] {
  if (partitions === 0) throw new Error(`${topic} is not in the catalogue`);
  return Array.from({ length: partitions }, (_, partition) => {
    const [at, end] = [committed, ends].map(
      (of) => of.find((entry) => entry.partition === partition)?.offset,
    );
    if (at === undefined || end === undefined) throw new Error(`no answer about ${topic}/${partition}`);
    const offset = BigInt(at);
    return { group, topic, partition, committed: offset < 0n ? null : offset, end: BigInt(end) };
  });
}
