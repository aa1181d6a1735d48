import type { Brokers } from '../client/brokers.ts';
import { throwFirstError } from '../errors.ts';
import { type Api, apiOf, type Exchange } from '../kafkajs/kafkajs.ts';
import type { AbortedTransaction } from './record-batches.ts';

export interface FetchLimits {
  /** The answer waits until there is so much, or until `maxWaitMs`. */
  readonly minBytes: number;
  readonly maxWaitMs: number;
  readonly maxBytesPerPartition: number;
}

interface FetchPosition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export interface FetchedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  /** Offset behind everything that is acknowledged. */
  readonly end: number;
  /** Offset behind everything that is decided. */
  readonly stableEnd: number;
  readonly aborted: readonly AbortedTransaction[];
  /** Record batches; the last one may be cut off. */
  readonly bytes: Buffer;
}

interface FetchQuery {
  readonly isolationLevel: number;
  readonly maxWaitTime: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly topics: readonly {
    topic: string;
    partitions: readonly { partition: number; fetchOffset: string; maxBytes: number }[];
  }[];
}

const READ_COMMITTED = 1;
const MAX_BYTES = 10 * 1_048_576;

/** One fetch from one broker. What comes of a partition may be nothing; a partition that is not mentioned has nothing either. */
export async function fetchFrom(
  brokers: Brokers,
  node: number,
  positions: readonly FetchPosition[],
  { minBytes, maxWaitMs, maxBytesPerPartition }: FetchLimits,
  timeoutMs: number,
): Promise<FetchedPartition[]> {
  const topics = new Map<string, { partition: number; fetchOffset: string; maxBytes: number }[]>();
  for (const { topic, partition, offset } of positions) {
    const entry = { partition, fetchOffset: String(offset), maxBytes: maxBytesPerPartition };
    const own = topics.get(topic);
    if (own) own.push(entry);
    else topics.set(topic, [entry]);
  }
  const query = {
    isolationLevel: READ_COMMITTED,
    maxWaitTime: maxWaitMs,
    minBytes,
    maxBytes: MAX_BYTES,
    topics: [...topics].map(([topic, partitions]) => ({ topic, partitions })),
  };
  return brokers.request(node, fetchApi, query, { timeoutMs });
}

const kafkajsFetch = apiOf<FetchQuery, FetchedPartition[]>('Fetch');

/** kafkajs's request, with an answer that is read here. */
const fetchApi: { key: number; api: Api<FetchQuery, FetchedPartition[]> } = {
  key: kafkajsFetch.key,
  api: {
    versions: kafkajsFetch.api.versions,
    protocol: (of) => (query) => {
      const exchange = kafkajsFetch.api.protocol(of)(query);
      const response = {
        decode: async (raw: Buffer) => decodeFetch(raw, of.version),
        parse: async (answer: FetchedPartition[]) => answer,
      };
      return { ...exchange, response } satisfies Exchange<FetchedPartition[]>;
    },
  },
};

/** Fetch responses of versions 4 to 11, as Kafka's protocol guide describes them. */
function decodeFetch(raw: Buffer, version: number): FetchedPartition[] {
  // The time for which the broker asks to be left alone.
  let at = 4;
  const int32 = () => {
    at += 4;
    return raw.readInt32BE(at - 4);
  };
  const int16 = () => {
    at += 2;
    return raw.readInt16BE(at - 2);
  };
  const int64 = () => {
    at += 8;
    return raw.readBigInt64BE(at - 8);
  };
  const string = () => {
    const length = int16();
    at += length;
    return raw.toString('utf8', at - length, at);
  };
  if (version >= 7) {
    throwFirstError([int16()]);
    int32();
  }
  const found: FetchedPartition[] = [];
  for (let topics = int32(); topics > 0; topics--) {
    const topic = string();
    for (let partitions = int32(); partitions > 0; partitions--) {
      const partition = int32();
      const errorCode = int16();
      const end = Number(int64());
      const stableEnd = Number(int64());
      if (version >= 5) int64();
      const aborted: AbortedTransaction[] = [];
      for (let count = int32(); count > 0; count--) {
        const producerId = int64();
        aborted.push({ producerId, firstOffset: Number(int64()) });
      }
      if (version >= 11) int32();
      const size = Math.max(0, int32());
      if (at + size > raw.length) throw new RangeError('a fetch ends before its records');
      const bytes = raw.subarray(at, at + size);
      at += size;
      found.push({ topic, partition, errorCode, end, stableEnd, aborted, bytes });
    }
  }
  return found;
}
