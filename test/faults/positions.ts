import { Worker } from 'node:worker_threads';
import { consumerGroups, type PipelineConfig, servicesOf } from '@email-events/cli/services';
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

/** Where to ask, and for what. Plain data, which another thread can be given. */
export interface Watched {
  readonly brokers: readonly string[];
  /** In the order of the flow. */
  readonly groups: readonly { readonly group: string; readonly topics: readonly string[] }[];
  /** Of each topic. */
  readonly partitions: ReadonlyMap<string, number>;
}

export function watchedOf(config: PipelineConfig): Watched {
  return {
    brokers: config.kafka.brokers,
    groups: consumerGroups(config, servicesOf(config)).map(({ group, topics }) => ({ group, topics })),
    partitions: new Map(topicCatalogue(config.topics).map(({ name, partitions }) => [name, partitions])),
  };
}

/**
 * Reads about once a second where all groups are, past the proxies. A sample is whole or it is none: what an answer does
 * not mention is not known, and must not pass for "nothing to do". It reads in a thread: this one also sends the traffic and
 * carries every byte through the proxies, and on a busy machine left ten seconds between samples that took one.
 */
export class PositionWatch {
  /** All whole samples, in order. */
  readonly samples: Snapshot[] = [];
  readonly groups: readonly string[];
  readonly #watched: Watched;
  #worker: Worker | undefined;
  #failure: Error | undefined;
  #isOver = false;

  constructor(config: PipelineConfig) {
    this.#watched = watchedOf(config);
    this.groups = this.#watched.groups.map(({ group }) => group);
  }

  get newest(): Snapshot {
    return this.samples.at(-1) ?? { at: 0, answeredAt: 0, positions: [] };
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  start(): void {
    this.#worker = new Worker(new URL('./positions-worker.ts', import.meta.url), {
      workerData: this.#watched,
    });
    this.#worker.on('message', ({ at, answeredAt, positions }: Snapshot) => {
      // Each thread has a clock that begins with it.
      const [asked, answered] = [at - performance.timeOrigin, answeredAt - performance.timeOrigin];
      this.samples.push({ at: asked, answeredAt: answered, positions });
    });
    this.#worker.on('error', (error: Error) => {
      this.#failure = error;
    });
  }

  /** Throws what ended the thread before. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#worker?.terminate();
    if (this.#failure) throw this.#failure;
  }
}

/**
 * Asks brokers and coordinators each on a new connection, so that nothing of an earlier answer is left. Throws while
 * one of them is away, or if an answer is not whole.
 */
export async function readPositions({ brokers, groups, partitions }: Watched): Promise<GroupPosition[]> {
  const state = await clusterState(brokers);
  const found: GroupPosition[] = [];
  // In the order of the flow: when the first group is through, the next one has all that it will have.
  for (const { group, topics } of groups) {
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
