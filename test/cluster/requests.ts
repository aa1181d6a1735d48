import { DecoderClass, type Encoder, EncoderClass, type Exchange, exchangeOf, failUnless } from './wire.ts';

const TIMEOUT_MS = 10_000;

export interface PartitionState {
  readonly partitionId: number;
  /** -1: none. */
  readonly leader: number;
  /** The first is the preferred leader. */
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
}

export interface TopicState {
  readonly topic: string;
  readonly partitionMetadata: readonly PartitionState[];
}

export interface Metadata {
  /** Those that are not fenced. */
  readonly brokers: readonly { readonly nodeId: number }[];
  readonly topicMetadata: readonly TopicState[];
}

/** Of all topics, also the internal ones. Its controller is any broker: KRaft hides the real one. */
export function metadata(): Exchange<Metadata> {
  const { request, response } = exchangeOf<Metadata>('Metadata', 1, { topics: [] });
  // kafkajs's own check takes a partition without a leader for a failure of the whole.
  return { request, response: { decode: response.decode } };
}

/** @param replicas of each partition, the preferred leader first */
export function createTopic(
  topic: string,
  replicas: readonly (readonly number[])[],
  config: Readonly<Record<string, string>>,
): Exchange<unknown> {
  const replicaAssignment = replicas.map((nodes, partition) => ({ partition, replicas: [...nodes] }));
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
  const spec = { topic, numPartitions: -1, replicationFactor: -1, replicaAssignment, configEntries };
  return exchangeOf('CreateTopics', 2, { topics: [spec], validateOnly: false, timeout: TIMEOUT_MS });
}

export function reassign(topic: string, partition: number, replicas: readonly number[]): Exchange<unknown> {
  const topics = [{ topic, partitionAssignment: [{ partition, replicas: [...replicas] }] }];
  return exchangeOf('AlterPartitionReassignments', 0, { topics, timeout: TIMEOUT_MS });
}

/** Those that are under way. */
export function reassignments(): Exchange<{ readonly topics: readonly { readonly name: string }[] }> {
  return exchangeOf('ListPartitionReassignments', 0, { topics: null, timeout: TIMEOUT_MS });
}

const COORDINATED = { group: 0, transaction: 1 } as const;

export function findCoordinator(
  key: string,
  of: keyof typeof COORDINATED,
): Exchange<{ readonly coordinator: { readonly nodeId: number } }> {
  return exchangeOf('GroupCoordinator', 1, { groupId: key, coordinatorType: COORDINATED[of] });
}

/** As if by a debugging tool: then a follower says it as well. */
const ANY_REPLICA = -2;
const LATEST = -1;

/** Offset behind all that one replica has of a partition, acknowledged or not. */
export function replicaEnd(
  topic: string,
  partition: number,
): Exchange<{
  readonly responses: readonly { readonly partitions: readonly { readonly offset: string }[] }[];
}> {
  const topics = [{ topic, partitions: [{ partition, timestamp: LATEST }] }];
  return exchangeOf('ListOffsets', 1, { replicaId: ANY_REPLICA, topics });
}

const ELECT_LEADERS = 43;
const PREFERRED = 0;
const ELECTION_NOT_NEEDED = 84;

/** ElectLeaders (version 1), which kafkajs lacks. */
export function electPreferred(topic: string, partitions: readonly number[]): Exchange<void> {
  const encode = async () =>
    new EncoderClass()
      .writeInt8(PREFERRED)
      .writeArray([new EncoderClass().writeString(topic).writeArray([...partitions])])
      .writeInt32(TIMEOUT_MS);
  const decode = async (bytes: Buffer) => {
    const decoder = new DecoderClass(bytes);
    decoder.readInt32();
    failUnless(decoder.readInt16());
    const topics = decoder.readArray((of) => {
      of.readString();
      return of.readArray((result) => {
        result.readInt32();
        const code = result.readInt16();
        result.readString();
        return code;
      });
    });
    for (const code of topics.flat()) failUnless(code, ELECTION_NOT_NEEDED);
  };
  return { request: { apiKey: ELECT_LEADERS, apiVersion: 1, encode }, response: { decode } };
}

const DESCRIBE_QUORUM = 55;
const METADATA_LOG = '__cluster_metadata';

/** DescribeQuorum (version 0), which kafkajs lacks: node id of the active controller, which answers itself. */
export function activeController(): Exchange<number> {
  const tagged = (encoder: Encoder) => encoder.writeUVarIntBytes();
  const encode = async () => {
    const partition = tagged(new EncoderClass().writeInt32(0));
    const topic = tagged(new EncoderClass().writeUVarIntString(METADATA_LOG).writeUVarIntArray([partition]));
    // Before the body are the tagged fields of the header.
    return tagged(tagged(new EncoderClass()).writeUVarIntArray([topic]));
  };
  const decode = async (bytes: Buffer) => {
    const decoder = new DecoderClass(bytes);
    decoder.readTaggedFields();
    failUnless(decoder.readInt16());
    // Of one topic one partition; what comes after its leader is of no interest.
    decoder.readUVarInt();
    decoder.readUVarIntString();
    decoder.readUVarInt();
    decoder.readInt32();
    failUnless(decoder.readInt16());
    return decoder.readInt32();
  };
  return { request: { apiKey: DESCRIBE_QUORUM, apiVersion: 0, encode }, response: { decode } };
}
