import { gzipSync } from 'node:zlib';
import { Brokers, type RequestOptions } from '../client/brokers.ts';
import { findCoordinator, metadata } from '../client/requests.ts';
import { crc32c } from '../crc32c.ts';
import { type Api, apiKeys, createErrorFromCode, createLogger } from '../kafkajs/kafkajs.ts';

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

  /** The answer of a broker from now on. A promise that does not end is an answer that does not come. */
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
    if (!answer) throw new Error(`no answer is set for ${NAMES.get(kind.key)}`);
    return (await answer(query, node)) as A;
  }

  override async requestAny<Q, A>(kind: Kind<Q, A>, query: Q): Promise<A> {
    if (kind.key === metadata.key)
      return this.metadataOf((query as { topics: readonly string[] }).topics) as A;
    if (kind.key !== findCoordinator.key) throw new Error(`no answer is set for ${NAMES.get(kind.key)}`);
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

export interface BatchOf {
  readonly first: number;
  /** Offset behind the first by which the batch ends; default: that of the last record. */
  readonly lastDelta?: number;
  /** Values, by how far each is behind the first offset; default: one after the other. */
  readonly values?: readonly string[];
  readonly deltas?: readonly number[];
  readonly producerId?: number;
  readonly transactional?: boolean;
  /** A marker that ends a transaction. */
  readonly marker?: 'abort' | 'commit';
  readonly gzip?: boolean;
  /** How many records it claims to have. */
  readonly count?: number;
}

const TIMESTAMP = 1_700_000_000_000n;

/** A record batch as a broker keeps it, laid out by Kafka's documentation of format 2. Its checksum is 0. */
export function recordBatch(of: BatchOf): Buffer {
  const { first, values = [], deltas = values.map((_, i) => i), producerId = -1, gzip = false, marker } = of;
  const records = marker
    ? [record(0, Buffer.from([0, 0, 0, marker === 'abort' ? 0 : 1]), Buffer.alloc(6))]
    : values.map((value, i) => record(deltas[i] ?? i, null, Buffer.from(value)));
  const body = gzip ? gzipSync(Buffer.concat(records)) : Buffer.concat(records);
  const head = Buffer.alloc(61);
  head.writeBigInt64BE(BigInt(first), 0);
  head.writeInt32BE(49 + body.length, 8);
  head.writeInt8(2, 16);
  const attributes = (gzip ? 1 : 0) | (of.transactional || marker ? 0x10 : 0) | (marker ? 0x20 : 0);
  head.writeInt16BE(attributes, 21);
  head.writeInt32BE(of.lastDelta ?? deltas.at(-1) ?? 0, 23);
  head.writeBigInt64BE(TIMESTAMP, 27);
  head.writeBigInt64BE(TIMESTAMP, 35);
  head.writeBigInt64BE(BigInt(producerId), 43);
  head.writeInt32BE(of.count ?? records.length, 57);
  return sealed(Buffer.concat([head, body]));
}

/** A batch with the checksum of what is in it now. */
export function sealed(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
  return batch;
}

function record(delta: number, key: Buffer | null, value: Buffer): Buffer {
  const body = Buffer.concat([
    Buffer.from([0]),
    zigzag(0),
    zigzag(delta),
    bytes(key),
    bytes(value),
    zigzag(0),
  ]);
  return Buffer.concat([zigzag(body.length), body]);
}

const bytes = (of: Buffer | null) => (of ? Buffer.concat([zigzag(of.length), of]) : zigzag(-1));

/** A number of variable length; exact up to 2^53. */
export function zigzag(value: number): Buffer {
  let rest = value >= 0 ? BigInt(value) * 2n : BigInt(-value) * 2n - 1n;
  const found: number[] = [];
  for (; rest >= 128n; rest >>= 7n) found.push(Number(rest & 127n) | 128);
  return Buffer.from([...found, Number(rest)]);
}
