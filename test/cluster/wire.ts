import { createRequire } from 'node:module';
import { connect } from 'node:net';

// kafkajs's encoders and decoders alone, on a connection of our own for each question: a client asks whichever broker it
// likes and tries again by itself, and here it matters what one broker says now.
const require = createRequire(import.meta.url);

export interface Encoder {
  readonly buffer: Buffer;
  writeInt8(value: number): Encoder;
  writeInt16(value: number): Encoder;
  writeInt32(value: number): Encoder;
  writeString(value: string): Encoder;
  writeArray(value: readonly unknown[]): Encoder;
  writeUVarIntString(value: string): Encoder;
  writeUVarIntArray(value: readonly Encoder[]): Encoder;
  /** Without a value: no tagged fields. */
  writeUVarIntBytes(value?: Buffer): Encoder;
}

export interface Decoder {
  readInt16(): number;
  readInt32(): number;
  readString(): string | null;
  readArray<T>(read: (decoder: Decoder) => T): T[];
  readUVarInt(): number;
  readUVarIntString(): string | null;
  readTaggedFields(): unknown;
}

export const EncoderClass = require('kafkajs/src/protocol/encoder.js') as new () => Encoder;
export const DecoderClass = require('kafkajs/src/protocol/decoder.js') as new (bytes: Buffer) => Decoder;

/** One request in one version, and how its answer is read. */
export interface Exchange<A> {
  readonly request: { readonly apiKey: number; readonly apiVersion: number; encode(): Promise<Encoder> };
  /** `parse` throws if the answer is an error. */
  readonly response: { decode(bytes: Buffer): Promise<A>; parse?(answer: A): Promise<A> };
}

const { requests } = require('kafkajs/src/protocol/requests/index.js') as {
  requests: {
    readonly [name: string]: { protocol(of: { version: number }): (args: object) => Exchange<unknown> };
  };
};

/** A request that kafkajs knows. */
export function exchangeOf<A>(name: string, version: number, args: object): Exchange<A> {
  const found = requests[name];
  if (!found) throw new Error(`kafkajs has no request ${name}`);
  return found.protocol({ version })(args) as Exchange<A>;
}

/** By name, as kafkajs has them. */
export const apiKeys = require('kafkajs/src/protocol/requests/apiKeys.js') as {
  readonly [name: string]: number;
};

const { createErrorFromCode } = require('kafkajs/src/protocol/error.js') as {
  createErrorFromCode(code: number): Error;
};

/** @throws kafkajs's error for the code, unless it is 0 or one of these */
function failUnless(code: number, ...fine: readonly number[]): void {
  if (code !== 0 && !fine.includes(code)) throw createErrorFromCode(code);
}

const frame = require('kafkajs/src/protocol/request.js') as (of: object) => Promise<{ buffer: Buffer }>;
const ATTEMPT_MS = 10_000;

/** One question to one broker, host:port. Rejects if it does not answer, or answers with an error. */
export async function ask<A>(address: string, { request, response }: Exchange<A>): Promise<A> {
  const { buffer } = await frame({ correlationId: 1, clientId: 'test-cluster', request });
  const answer = await response.decode(await roundTrip(address, buffer));
  return response.parse ? response.parse(answer) : answer;
}

/** The answer without its size and correlation id. */
function roundTrip(address: string, question: Buffer): Promise<Buffer> {
  const colon = address.lastIndexOf(':');
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)) });
    let received = Buffer.alloc(0);
    socket.setTimeout(ATTEMPT_MS, () => socket.destroy(new Error(`${address} does not answer`)));
    socket.on('connect', () => socket.write(question));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 4 || received.length < 4 + received.readInt32BE(0)) return;
      resolve(received.subarray(8, 4 + received.readInt32BE(0)));
      socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`${address} hung up`)));
  });
}

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
