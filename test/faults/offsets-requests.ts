import { ask, type Exchange, exchangeOf } from '../cluster/wire.ts';

/** Where a broker listens, for whoever asked on this listener. */
export interface BrokerAddress {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
}

export type Offsets = readonly { readonly partition: number; readonly offset: string }[];

/** A cluster as one of its brokers knows it. */
export interface ClusterState {
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
export async function clusterState(addresses: readonly string[]): Promise<ClusterState> {
  const { request, response } = exchangeOf<ClusterState>('Metadata', 1, { topics: [] });
  // kafkajs's own check takes a partition without a leader for a failure of the whole.
  const exchange: Exchange<ClusterState> = { request, response: { decode: response.decode } };
  return Promise.any(addresses.map((address) => ask(address, exchange)));
}

/** Ends of all partitions of these topics, what is not committed yet included: what a transaction hangs on is lag too. */
export async function readEnds(
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

/** What a group has committed on all partitions of these topics; -1 where it has not. */
export async function readCommitted(
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
