import { setTimeout as delay } from 'node:timers/promises';
import { consumerGroups, type PipelineConfig } from '@email-events/cli/services';
import { topicCatalogue } from '@email-events/schemas';
import { ask, type Exchange, exchangeOf } from '../cluster/wire.ts';
import type { GroupPosition } from '../src/invariants.ts';

/** The committed and the last offset of consumer groups, on every partition of their input, in a short time. */
export interface Snapshot {
  /** When it was asked for, and when all was answered, on the clock of performance.now(). It is of some moment between. */
  readonly at: number;
  readonly answeredAt: number;
  readonly positions: readonly GroupPosition[];
}

const SAMPLE_MS = 1_000;
/**
 * A sample that takes longer is none: the broker that was asked may be frozen. A whole one is a dozen connections, one after
 * the other, which took more than five seconds on a machine with forty processes for each core.
 */
const PATIENCE_MS = 20_000;

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
  #watching: Promise<void> | undefined;

  constructor(config: PipelineConfig) {
    this.#config = config;
    this.groups = consumerGroups(config).map(({ group }) => group);
  }

  get newest(): Snapshot {
    return this.samples.at(-1) ?? { at: 0, answeredAt: 0, positions: [] };
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
  }

  async #watch(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      const at = performance.now();
      const positions = await this.#sample();
      if (positions) this.samples.push({ at, answeredAt: performance.now(), positions });
      const left = at + SAMPLE_MS - performance.now();
      await delay(Math.max(0, left), undefined, { signal }).catch(() => {});
    }
  }

  async #sample(): Promise<readonly GroupPosition[] | undefined> {
    try {
      const late = delay(PATIENCE_MS, undefined, { ref: false });
      return await Promise.race([readPositions(this.#config), late]);
    } catch {
      // A broker is away, or a leader has just moved: that is what is going on here.
      return undefined;
    }
  }
}

/**
 * Asks brokers and coordinators each on a new connection, so that nothing of an earlier answer is left. Throws while
 * one of them is away, or if an answer is not whole.
 */
export async function readPositions(config: PipelineConfig): Promise<GroupPosition[]> {
  const partitions = new Map(topicCatalogue(config.topics).map((topic) => [topic.name, topic.partitions]));
  const state = await clusterState(config.kafka.brokers);
  const found: GroupPosition[] = [];
  // In the order of the flow: when the first group is through, the next one has all that it will have.
  for (const { group, topics } of consumerGroups(config)) {
    const [committed, ends] = await Promise.all([
      readCommitted(state, group, topics),
      readEnds(state, topics),
    ]);
    for (const topic of topics) {
      const [at, end] = [committed.get(topic) ?? [], ends.get(topic) ?? []];
      found.push(...positionsIn(group, topic, partitions.get(topic) ?? 0, at, end));
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

/** Where a broker listens, for clients that asked on this listener. */
interface BrokerAddress {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
}

export type Offsets = readonly { readonly partition: number; readonly offset: string }[];

/** A cluster as one of its brokers knows it. */
interface ClusterState {
  readonly brokers: readonly BrokerAddress[];
  readonly topicMetadata: readonly {
    readonly topic: string;
    readonly partitionMetadata: readonly { readonly partitionId: number; readonly leader: number }[];
  }[];
}

interface ByTopic {
  readonly responses: readonly { readonly topic: string; readonly partitions: Offsets }[];
}

/** Of whichever broker answers first: one may be away, another frozen. */
async function clusterState(addresses: readonly string[]): Promise<ClusterState> {
  const { request, response } = exchangeOf<ClusterState>('Metadata', 1, { topics: [] });
  // kafkajs's own check takes a partition without a leader for a failure of the whole.
  const exchange: Exchange<ClusterState> = { request, response: { decode: response.decode } };
  return Promise.any(addresses.map((address) => ask(address, exchange)));
}

/** Ends of all partitions of these topics, what is not committed yet included: what a transaction hangs on is lag too. */
async function readEnds(
  { brokers, topicMetadata }: ClusterState,
  topics: readonly string[],
): Promise<ReadonlyMap<string, Offsets>> {
  const wanted = topicMetadata
    .filter(({ topic }) => topics.includes(topic))
    .flatMap(({ topic, partitionMetadata }) =>
      partitionMetadata.map(({ partitionId: partition, leader }) => ({ topic, partition, leader })),
    );
  const byLeader = Map.groupBy(wanted, ({ leader }) => leader);
  const answers = await Promise.all(
    [...byLeader].map(async ([leader, partitions]) => {
      const broker = brokers.find(({ nodeId }) => nodeId === leader);
      if (!broker) throw new Error(`there is no broker ${leader}`);
      const topics = [...Map.groupBy(partitions, ({ topic }) => topic)].map(([topic, of]) => ({
        topic,
        partitions: of.map(({ partition }) => ({ partition, timestamp: -1 })),
      }));
      return ask(addressOf(broker), exchangeOf<ByTopic>('ListOffsets', 3, { isolationLevel: 0, topics }));
    }),
  );
  return merged(answers);
}

/** The offsets that a group has committed on all partitions of these topics; -1 where it has not. */
async function readCommitted(
  { brokers, topicMetadata }: ClusterState,
  groupId: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, Offsets>> {
  const find = exchangeOf<{ readonly coordinator: BrokerAddress }>('GroupCoordinator', 1, {
    ...{ groupId, coordinatorKey: groupId, coordinatorType: 0 },
  });
  const { coordinator } = await Promise.any(brokers.map((broker) => ask(addressOf(broker), find)));
  const topics = topicMetadata
    .filter(({ topic }) => names.includes(topic))
    .map(({ topic, partitionMetadata }) => ({
      topic,
      partitions: partitionMetadata.map(({ partitionId: partition }) => ({ partition })),
    }));
  const fetch = exchangeOf<ByTopic>('OffsetFetch', 4, { groupId, topics });
  return merged([await ask(addressOf(coordinator), fetch)]);
}

const addressOf = ({ host, port }: BrokerAddress) => `${host}:${port}`;

function merged(answers: readonly ByTopic[]): ReadonlyMap<string, Offsets> {
  const byTopic = Map.groupBy(
    answers.flatMap(({ responses }) => responses),
    ({ topic }) => topic,
  );
  return new Map([...byTopic].map(([topic, of]) => [topic, of.flatMap(({ partitions }) => partitions)]));
}
