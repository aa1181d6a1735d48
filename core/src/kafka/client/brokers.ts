import {
  AnswerIncomplete,
  isCoordinatorMoved,
  isProtocolError,
  isRefusal,
  LEADER_NOT_AVAILABLE,
  NOT_LEADER_FOR_PARTITION,
  throwFirstError,
} from '../errors.ts';
import { type Api, createErrorFromCode, KafkaJSNoBrokerAvailableError } from '../kafkajs/kafkajs.ts';
import { type Address, type ConnectionOptions, Connections, type Purpose } from './connections.ts';
import { findCoordinator, type MetadataAnswer, metadata } from './requests.ts';

export interface RequestOptions {
  /** Time for the answer. Milliseconds; default: the configured one. */
  readonly timeoutMs?: number;
  readonly purpose?: Purpose;
}

type CoordinatorKind = 'group' | 'transaction';

interface Kind<Q, A> {
  readonly key: number;
  readonly api: Api<Q, A>;
}

/** A broker that hangs must not hold up what any other could say as well. */
const ANY_BROKER_MS = 4_000;
/** A broker that did not answer is asked last for so long. */
const SUSPECT_MS = 10_000;

/**
 * The brokers of a cluster: the leaders of partitions, the coordinators of groups and transactions, and one request at a time to any of
 * them. It never tries anything a second time: only the caller knows what a repetition does. A connection that failed in any way is
 * not used again.
 */
export class Brokers {
  private readonly connections: Connections;
  private readonly seeds: readonly Address[];
  private readonly timeoutMs: number;
  private readonly nodes = new Map<number, Address>();
  private readonly suspects = new Map<string, number>();
  private readonly coordinators = new Map<string, number>();
  private readonly leaders = new Leaders();
  private refreshing: { readonly topics: ReadonlySet<string>; readonly done: Promise<void> } | undefined;

  constructor(options: ConnectionOptions) {
    this.connections = new Connections(options);
    this.timeoutMs = options.requestTimeoutMs;
    this.seeds = options.brokers.map(addressOf);
  }

  /** One request, one answer as it was decoded: error codes in it are the caller's to read. */
  async request<Q, A>(nodeId: number, kind: Kind<Q, A>, args: Q, options: RequestOptions = {}): Promise<A> {
    const address = this.nodes.get(nodeId);
    // As good as that: the caller's metadata are too old.
    if (!address) throw createErrorFromCode(NOT_LEADER_FOR_PARTITION);
    return this.ask(address, kind, args, options);
  }

  /** The answer of whichever broker gives one. */
  async requestAny<Q, A>(kind: Kind<Q, A>, args: Q): Promise<A> {
    let last: unknown;
    for (const address of this.candidates()) {
      try {
        return await this.ask(address, kind, args, { timeoutMs: Math.min(this.timeoutMs, ANY_BROKER_MS) });
      } catch (error) {
        if (isRefusal(error)) throw error;
        last = error;
      }
    }
    throw Object.assign(new KafkaJSNoBrokerAvailableError(), { cause: last });
  }

  /** Asks who leads these topics' partitions, and all that were asked for before. Calls at the same time are one request. */
  async refresh(topics: readonly string[]): Promise<void> {
    for (;;) {
      const under = this.refreshing;
      if (!under) break;
      if (topics.every((topic) => under.topics.has(topic))) return under.done;
      await under.done.catch(() => {});
    }
    const wanted = this.leaders.want(topics);
    const done = this.load([...wanted]).finally(() => {
      this.refreshing = undefined;
    });
    this.refreshing = { topics: wanted, done };
    return done;
  }

  /** Asks about those of these topics that were never asked for. */
  async know(topics: readonly string[]): Promise<void> {
    const unknown = topics.filter((topic) => !this.leaders.knows(topic));
    if (unknown.length > 0) await this.refresh(unknown);
  }

  /** Ids of a topic's partitions, asked for once; `refresh` asks anew. Throws if the topic does not exist. */
  async partitionsOf(topic: string): Promise<readonly number[]> {
    await this.know([topic]);
    return this.leaders.partitionsOf(topic);
  }

  /** As of the last refresh. Throws LEADER_NOT_AVAILABLE where none is known. */
  leaderOf(topic: string, partition: number): number {
    const leader = this.leaders.leaderOf(topic, partition);
    if (leader === undefined || !this.nodes.has(leader)) throw createErrorFromCode(LEADER_NOT_AVAILABLE);
    return leader;
  }

  async coordinator(kind: CoordinatorKind, key: string): Promise<number> {
    const known = this.coordinators.get(`${kind} ${key}`);
    if (known !== undefined && this.nodes.has(known)) return known;
    const query = { groupId: key, coordinatorType: kind === 'group' ? 0 : 1 };
    const { errorCode, coordinator } = await this.requestAny(findCoordinator, query);
    throwFirstError([errorCode]);
    const { nodeId, host, port } = coordinator;
    this.nodes.set(nodeId, { host, port });
    this.coordinators.set(`${kind} ${key}`, nodeId);
    return nodeId;
  }

  forgetCoordinator(kind: CoordinatorKind, key: string): void {
    this.coordinators.delete(`${kind} ${key}`);
  }

  /** One request to a coordinator. Throws the first error code; one that says that it has moved is looked for anew next time. */
  async toCoordinator<Q, A>(
    of: { readonly kind: CoordinatorKind; readonly key: string },
    request: Kind<Q, A>,
    args: Q,
    codesOf: (answer: A) => Iterable<number>,
    options: RequestOptions = {},
  ): Promise<A> {
    try {
      const answer = await this.request(await this.coordinator(of.kind, of.key), request, args, options);
      throwFirstError(codesOf(answer));
      return answer;
    } catch (error) {
      if (isCoordinatorMoved(error) || !isProtocolError(error)) this.forgetCoordinator(of.kind, of.key);
      throw error;
    }
  }

  /** Whether the coordinator that was last found answers anything within this time. If not, what it was asked is rejected. */
  async checkCoordinator(
    of: { readonly kind: CoordinatorKind; readonly key: string },
    timeoutMs: number,
  ): Promise<void> {
    const node = this.coordinators.get(`${of.kind} ${of.key}`);
    const address = node === undefined ? undefined : this.nodes.get(node);
    if (!address) return;
    try {
      await this.ask(address, findCoordinator, { groupId: of.key, coordinatorType: 0 }, { timeoutMs });
    } catch (error) {
      if (!isProtocolError(error)) this.connections.giveUp(address, error as Error);
    }
  }

  /** At once: what is under way is rejected. */
  close(): void {
    this.connections.close();
  }

  private async ask<Q, A>(address: Address, kind: Kind<Q, A>, args: Q, options: RequestOptions): Promise<A> {
    const name = nameOf(address);
    try {
      const { timeoutMs = this.timeoutMs, purpose = 'main' } = options;
      const answer = await this.connections.request(address, purpose, kind, args, timeoutMs);
      this.suspects.delete(name);
      return answer;
    } catch (error) {
      if (!isProtocolError(error)) this.suspects.set(name, performance.now() + SUSPECT_MS);
      throw error;
    }
  }

  private async load(topics: readonly string[]): Promise<void> {
    const query = { topics, allowAutoTopicCreation: false };
    const answer = await this.requestAny(metadata, query);
    this.take(answer);
    this.leaders.take(topics, answer);
  }

  private take({ brokers }: MetadataAnswer): void {
    if (brokers.length === 0) return;
    this.nodes.clear();
    for (const { nodeId, host, port } of brokers) this.nodes.set(nodeId, { host, port });
    this.connections.keepOnly([...this.nodes.values(), ...this.seeds]);
  }

  /** Connected ones first, in any order; those that did not answer lately last. */
  private candidates(): Address[] {
    const byName = new Map(
      [...this.nodes.values(), ...this.seeds].map((address) => [nameOf(address), address]),
    );
    const now = performance.now();
    const rank = (name: string) =>
      (this.suspects.get(name) ?? 0) > now ? 2 : this.connections.isConnected(name) ? 0 : 1;
    return [...byName]
      .map(([name, address]) => ({ address, rank: rank(name), lot: Math.random() }))
      .sort((a, b) => a.rank - b.rank || a.lot - b.lot)
      .map(({ address }) => address);
  }
}

export const nameOf = ({ host, port }: Address): string => `${host}:${port}`;

function addressOf(broker: string): Address {
  const at = broker.lastIndexOf(':');
  return { host: broker.slice(0, at), port: Number(broker.slice(at + 1)) };
}

interface TopicLeaders {
  /** By partition; -1: none. */
  readonly leaders: ReadonlyMap<number, number>;
  readonly errorCode: number;
}

/** The leader of each partition as of the last refresh. */
export class Leaders {
  private readonly topics = new Map<string, TopicLeaders>();
  private readonly wanted = new Set<string>();

  /** A topic that was asked for once is asked for always, so that no answer makes another topic unknown. */
  want(topics: readonly string[]): ReadonlySet<string> {
    for (const topic of topics) this.wanted.add(topic);
    return new Set(this.wanted);
  }

  knows(topic: string): boolean {
    return (this.topics.get(topic)?.leaders.size ?? 0) > 0;
  }

  /** In order. Throws what the broker said of the topic. */
  partitionsOf(topic: string): readonly number[] {
    const known = this.topics.get(topic);
    if (!known) throw new AnswerIncomplete(`the topic ${topic}`);
    // Without a leader is not without partitions.
    if (known.errorCode !== 0 && known.errorCode !== LEADER_NOT_AVAILABLE)
      throw createErrorFromCode(known.errorCode);
    if (known.leaders.size === 0) throw createErrorFromCode(LEADER_NOT_AVAILABLE);
    return [...known.leaders.keys()].sort((a, b) => a - b);
  }

  leaderOf(topic: string, partition: number): number | undefined {
    const leader = this.topics.get(topic)?.leaders.get(partition);
    return leader === -1 ? undefined : leader;
  }

  take(asked: readonly string[], { topicMetadata }: MetadataAnswer): void {
    const found = new Map(topicMetadata.map((of) => [of.topic, of]));
    for (const topic of asked) {
      const of = found.get(topic);
      if (!of) throw new AnswerIncomplete(`the topic ${topic}`);
      const leaders = new Map(of.partitionMetadata.map(({ partitionId, leader }) => [partitionId, leader]));
      this.topics.set(topic, { leaders, errorCode: of.topicErrorCode });
    }
  }
}
