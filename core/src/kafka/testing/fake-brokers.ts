import { Brokers, type RequestOptions } from '../wire/brokers.ts';
import { type Api, apiKeys, createErrorFromCode, createLogger } from '../wire/kafkajs-parts.ts';
import { findCoordinator, metadata } from '../wire/requests.ts';

interface Kind<Q, A> {
  readonly key: number;
  readonly api: Api<Q, A>;
}

/** A request that was made. */
export interface Asked {
  readonly node: number;
  /** As kafkajs calls it. */
  readonly api: string;
  readonly query: unknown;
}

type Handler = (query: unknown, node: number) => unknown;

const NAMES = new Map(Object.entries(apiKeys).map(([name, key]) => [key, name]));
const NO_COORDINATOR = 15;

/**
 * Brokers without connections: what they answer is what a test says. Metadata and coordinators are known at once by all of them, but a
 * client learns of a move only when it asks, as with real ones.
 */
export class FakeBrokers extends Brokers {
  /** Without those for metadata. */
  readonly asked: Asked[] = [];
  /** By topic, the leader of each partition; -1: none. */
  readonly topics: { [topic: string]: number[] };
  nodeIds: readonly number[] = [1, 2, 3];
  coordinatorId: number | undefined = 1;
  refreshes = 0;
  private readonly handlers = new Map<number, Handler>();

  constructor(topics: { [topic: string]: number[] }) {
    super({
      brokers: [],
      clientId: 'test',
      connectionTimeoutMs: 1_000,
      requestTimeoutMs: 1_000,
      logger: createLogger({ level: 0, logCreator: () => () => {} }),
    });
    this.topics = topics;
  }

  /** What a broker answers from now on. A promise that does not end is an answer that does not come. */
  on<Q, A>(kind: Kind<Q, A>, answer: (query: Q, node: number) => A | Promise<A>): void {
    this.handlers.set(kind.key, answer as Handler);
  }

  askedFor(api: string): Asked[] {
    return this.asked.filter((of) => of.api === api);
  }

  override async request<Q, A>(
    node: number,
    kind: Kind<Q, A>,
    query: Q,
    _options?: RequestOptions,
  ): Promise<A> {
    this.asked.push({ node, api: NAMES.get(kind.key) ?? '', query });
    const answer = this.handlers.get(kind.key);
    if (!answer) throw new Error(`nobody answers ${NAMES.get(kind.key)}`);
    return (await answer(query, node)) as A;
  }

  override async requestAny<Q, A>(kind: Kind<Q, A>, query: Q): Promise<A> {
    if (kind.key === metadata.key)
      return this.metadataOf((query as { topics: readonly string[] }).topics) as A;
    if (kind.key !== findCoordinator.key) throw new Error(`nobody answers ${NAMES.get(kind.key)}`);
    if (this.coordinatorId === undefined) throw createErrorFromCode(NO_COORDINATOR);
    const coordinator = { nodeId: this.coordinatorId, host: 'fake', port: this.coordinatorId };
    return { errorCode: 0, coordinator } as A;
  }

  private metadataOf(asked: readonly string[]) {
    this.refreshes += 1;
    return {
      brokers: this.nodeIds.map((nodeId) => ({ nodeId, host: 'fake', port: nodeId })),
      controllerId: 1,
      topicMetadata: asked.map((topic) => ({
        topic,
        topicErrorCode: this.topics[topic] ? 0 : UNKNOWN_TOPIC,
        partitionMetadata: (this.topics[topic] ?? []).map((leader, partitionId) => {
          return { partitionErrorCode: 0, partitionId, leader, replicas: [], isr: [] };
        }),
      })),
    };
  }
}

const UNKNOWN_TOPIC = 3;
