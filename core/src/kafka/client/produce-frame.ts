import { crc32c } from '../crc32c.ts';

/** A record as it is written. */
export interface OutMessage {
  readonly key: string | Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: { readonly [name: string]: string | Buffer };
  /** Epoch milliseconds; now, if absent. */
  readonly timestamp?: string;
}

interface OutBatch {
  readonly partition: number;
  /** Of the first record. */
  readonly firstSequence?: number;
  readonly messages: readonly OutMessage[];
}

export interface ProduceQuery {
  readonly acks: number;
  readonly timeout: number;
  readonly transactionalId?: string;
  readonly producerId?: string;
  readonly producerEpoch?: number;
  readonly topicData: readonly { readonly topic: string; readonly partitions: readonly OutBatch[] }[];
}

export interface FrameHead {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string;
}

const MAGIC = 2;
const TRANSACTIONAL = 0x10;
/** Of a batch, in front of its records: everything from the first offset to the number of records. */
const BATCH_OVERHEAD = 61;
/** First offset and length, which the length does not count. */
const LENGTH_OVERHEAD = 12;
const CRC_AT = 17;
/** What the checksum covers begins here. */
const ATTRIBUTES_AT = 21;
const NO_PRODUCER = '-1';

/** Sizes and times of a batch, found before anything is written. */
interface Measured {
  readonly batch: OutBatch;
  readonly bytes: number;
  readonly firstTimestamp: number;
  readonly maxTimestamp: number;
  /** Of each record, from its first offset delta on. */
  readonly sizes: readonly number[];
  readonly timestamps: readonly number[];
}

/**
 * A produce request of versions 3 to 7 as it goes over the wire, its length in front, in a buffer of exactly that size. kafkajs makes a
 * growing buffer of 512 zeroed bytes for each record and each header, and copies each of them several times.
 */
export function encodeProduce(query: ProduceQuery, head: FrameHead): Buffer {
  const { transactionalId, topicData } = query;
  const topics = topicData.map(({ topic, partitions }) => ({ topic, batches: partitions.map(measure) }));
  let bytes = 4 + 8 + sizeOfString(head.clientId) + sizeOfString(transactionalId) + 6 + 4;
  for (const { topic, batches } of topics) {
    bytes += sizeOfString(topic) + 4;
    for (const batch of batches) bytes += 8 + batch.bytes;
  }
  const frame = new Frame(bytes);
  frame.int32(bytes - 4);
  frame.int16(head.apiKey);
  frame.int16(head.apiVersion);
  frame.int32(head.correlationId);
  frame.string(head.clientId);
  frame.string(transactionalId);
  frame.int16(query.acks);
  frame.int32(query.timeout);
  frame.int32(topics.length);
  for (const { topic, batches } of topics) {
    frame.string(topic);
    frame.int32(batches.length);
    for (const batch of batches) writeBatch(frame, batch, query);
  }
  return frame.bytes;
}

function measure(batch: OutBatch): Measured {
  const now = Date.now();
  const timestamps = batch.messages.map(({ timestamp }) =>
    timestamp === undefined ? now : Number(timestamp),
  );
  let [firstTimestamp, maxTimestamp] = [timestamps[0] ?? now, timestamps[0] ?? now];
  for (const timestamp of timestamps) {
    if (timestamp < firstTimestamp) firstTimestamp = timestamp;
    if (timestamp > maxTimestamp) maxTimestamp = timestamp;
  }
  let bytes = BATCH_OVERHEAD;
  const sizes = batch.messages.map((message, i) => {
    const size = sizeOfRecord(message, (timestamps[i] ?? now) - firstTimestamp, i);
    bytes += sizeOfVarint(size) + size;
    return size;
  });
  return { batch, bytes, firstTimestamp, maxTimestamp, sizes, timestamps };
}

function writeBatch(frame: Frame, measured: Measured, query: ProduceQuery): void {
  const { batch, bytes, firstTimestamp, maxTimestamp, sizes, timestamps } = measured;
  const { messages, partition, firstSequence = 0 } = batch;
  const { transactionalId, producerId = NO_PRODUCER, producerEpoch = 0 } = query;
  frame.int32(partition);
  frame.int32(bytes);
  const start = frame.at;
  frame.int64(0n);
  frame.int32(bytes - LENGTH_OVERHEAD);
  // The leader's epoch, which the broker fills in.
  frame.int32(0);
  frame.int8(MAGIC);
  frame.int32(0);
  frame.int16(transactionalId === undefined ? 0 : TRANSACTIONAL);
  frame.int32(messages.length - 1);
  frame.int64(BigInt(firstTimestamp));
  frame.int64(BigInt(maxTimestamp));
  frame.int64(BigInt(producerId));
  frame.int16(producerEpoch);
  frame.int32(firstSequence);
  frame.int32(messages.length);
  for (let i = 0; i < messages.length; i++) {
    frame.varint(sizes[i] as number);
    writeRecord(frame, messages[i] as OutMessage, (timestamps[i] as number) - firstTimestamp, i);
  }
  const covered = frame.bytes.subarray(start + ATTRIBUTES_AT, frame.at);
  frame.bytes.writeUInt32BE(crc32c(covered), start + CRC_AT);
}

function sizeOfRecord(
  { key, value, headers }: OutMessage,
  timestampDelta: number,
  offsetDelta: number,
): number {
  let count = 0;
  let bytes = 1 + sizeOfVarlong(timestampDelta) + sizeOfVarint(offsetDelta);
  bytes += sizeOfBytes(key) + sizeOfBytes(value);
  for (const name in headers) {
    count++;
    bytes += sizeOfBytes(name) + sizeOfBytes(headers[name] as string | Buffer);
  }
  return bytes + sizeOfVarint(count);
}

function writeRecord(
  frame: Frame,
  { key, value, headers }: OutMessage,
  timestampDelta: number,
  offsetDelta: number,
) {
  frame.int8(0);
  frame.varlong(timestampDelta);
  frame.varint(offsetDelta);
  frame.varBytes(key);
  frame.varBytes(value);
  let count = 0;
  for (const _ in headers) count++;
  frame.varint(count);
  for (const name in headers) {
    frame.varBytes(name);
    frame.varBytes(headers[name] as string | Buffer);
  }
}

const lengthOf = (value: string | Buffer) =>
  typeof value === 'string' ? Buffer.byteLength(value) : value.length;

const sizeOfString = (text: string | undefined) => 2 + (text === undefined ? 0 : Buffer.byteLength(text));

function sizeOfBytes(value: string | Buffer | null): number {
  if (value === null) return 1;
  const length = lengthOf(value);
  return sizeOfVarint(length) + length;
}

/** Zigzag: small numbers of either sign are short. */
const zigzag = (value: number) => ((value << 1) ^ (value >> 31)) >>> 0;
const zigzagLong = (value: number) => (value < 0 ? -value * 2 - 1 : value * 2);

function sizeOfVarint(value: number): number {
  let bytes = 1;
  for (let rest = zigzag(value); rest > 0x7f; rest >>>= 7) bytes++;
  return bytes;
}

function sizeOfVarlong(value: number): number {
  let bytes = 1;
  for (let rest = zigzagLong(value); rest > 0x7f; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

/** Writes Kafka's types one after the other. It must be made as long as what is written. */
class Frame {
  readonly bytes: Buffer;
  at = 0;

  constructor(size: number) {
    // Not from the pool: it is sent as a whole, and what it held would be kept with it.
    this.bytes = Buffer.allocUnsafeSlow(size);
  }

  int8(value: number): void {
    this.at = this.bytes.writeInt8(value, this.at);
  }

  int16(value: number): void {
    this.at = this.bytes.writeInt16BE(value, this.at);
  }

  int32(value: number): void {
    this.at = this.bytes.writeInt32BE(value, this.at);
  }

  int64(value: bigint): void {
    this.at = this.bytes.writeBigInt64BE(value, this.at);
  }

  /** Undefined is Kafka's null. */
  string(text: string | undefined): void {
    if (text === undefined) {
      this.int16(-1);
      return;
    }
    const length = this.bytes.write(text, this.at + 2);
    this.int16(length);
    this.at += length;
  }

  varint(value: number): void {
    let rest = zigzag(value);
    for (; rest > 0x7f; rest >>>= 7) this.bytes[this.at++] = (rest & 0x7f) | 0x80;
    this.bytes[this.at++] = rest;
  }

  /** Exact up to 2^52. */
  varlong(value: number): void {
    let rest = zigzagLong(value);
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) this.bytes[this.at++] = (rest % 128) | 0x80;
    this.bytes[this.at++] = rest;
  }

  varBytes(value: string | Buffer | null): void {
    if (value === null) {
      this.varint(-1);
      return;
    }
    this.varint(lengthOf(value));
    this.at += typeof value === 'string' ? this.bytes.write(value, this.at) : value.copy(this.bytes, this.at);
  }
}
