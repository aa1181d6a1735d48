import { gzipSync } from 'node:zlib';

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
  return Buffer.concat([head, body]);
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
