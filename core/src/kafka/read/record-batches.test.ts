import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { recordBatch as batch, sealed, zigzag } from '../testing/fake-brokers.ts';
import { type AbortedTransaction, BytesReader, decodeRecords } from './record-batches.ts';

const OF = { topic: 't', partition: 3 };

async function read(batches: Buffer[], from = 0, aborted: AbortedTransaction[] = []) {
  const { records, next } = await decodeRecords(OF, Buffer.concat(batches), from, aborted);
  return { values: records.map(({ offset, value }) => `${offset} ${value}`), next };
}

test('records in order, with where they are from', async () => {
  const bytes = batch({ first: 7, values: ['a', 'b'] });
  const { records, next } = await decodeRecords(OF, bytes, 0, []);
  const of = { ...OF, key: null, headers: {}, timestamp: 1_700_000_000_000 };
  expect(records).toEqual([
    { ...of, offset: 7, value: Buffer.from('a') },
    { ...of, offset: 8, value: Buffer.from('b') },
  ]);
  expect(next).toBe(9);
});

test('what kafkajs encodes, with keys and headers', async () => {
  const require = createRequire(import.meta.url);
  const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0/index.js');
  const Record = require('kafkajs/src/protocol/recordBatch/record/v0/index.js');
  const records = [
    Record({
      offsetDelta: 0,
      timestampDelta: 0,
      key: 'k',
      value: 'v',
      headers: { h: 'x', n: Buffer.alloc(0) },
    }),
    Record({ offsetDelta: 1, timestampDelta: 5, key: null, value: null, headers: {} }),
  ];
  const encoded = await RecordBatch({
    firstOffset: 4,
    firstTimestamp: 100,
    maxTimestamp: 105,
    records,
    producerId: -1,
  });
  const found = await decodeRecords(OF, encoded.buffer, 0, []);
  const headers = { h: Buffer.from('x'), n: Buffer.alloc(0) };
  expect(found.records).toEqual([
    { ...OF, offset: 4, key: Buffer.from('k'), value: Buffer.from('v'), headers, timestamp: 100 },
    { ...OF, offset: 5, key: null, value: null, headers: {}, timestamp: 105 },
  ]);
});

test('a fetch begins with the batch that holds its offset: what lies before is left out', async () => {
  const batches = [batch({ first: 0, values: ['a', 'b', 'c'] }), batch({ first: 3, values: ['d'] })];
  expect(await read(batches, 2)).toEqual({ values: ['2 c', '3 d'], next: 4 });
  expect(await read(batches, 3)).toEqual({ values: ['3 d'], next: 4 });
  // All of it was read before.
  expect(await read(batches, 9)).toEqual({ values: [], next: 9 });
});

test('batches that compaction has thinned out or emptied are passed', async () => {
  const thinned = batch({ first: 10, values: ['a', 'b'], deltas: [1, 4], lastDelta: 6 });
  const emptied = batch({ first: 17, lastDelta: 9 });
  expect(await read([thinned, emptied], 10)).toEqual({ values: ['11 a', '14 b'], next: 27 });
  expect(await read([emptied], 20)).toEqual({ values: [], next: 27 });
});

test('a batch that is cut off at the end is left for the next fetch, wherever the cut is', async () => {
  const [whole, cut] = [batch({ first: 0, values: ['a'] }), batch({ first: 1, values: ['b', 'c'] })];
  for (let length = 0; length < cut.length; length++)
    expect(await read([whole, cut.subarray(0, length)])).toEqual({ values: ['0 a'], next: 1 });
});

test('gzip', async () => {
  const values = Array.from({ length: 100 }, (_, i) => `value ${i}`);
  const { values: found, next } = await read([batch({ first: 0, values, gzip: true })]);
  expect(found).toEqual(values.map((value, i) => `${i} ${value}`));
  expect(next).toBe(100);
});

test('a batch of very many records', async () => {
  const values = Array.from({ length: 110_000 }, () => 'x');
  const { values: found, next } = await read([
    batch({ first: 0, values }),
    batch({ first: 110_000, values }),
  ]);
  expect(found).toHaveLength(220_000);
  expect(next).toBe(220_000);
});

const write = (first: number, producerId: number, ...values: string[]) =>
  batch({ first, values, producerId, transactional: true });
const end = (first: number, producerId: number, marker: 'abort' | 'commit') =>
  batch({ first, producerId, marker });

test('markers are no records, and passed', async () => {
  expect(await read([end(5, 1, 'commit')], 5)).toEqual({ values: [], next: 6 });
});

test('an aborted transaction is left out up to its end, and what its producer writes later is not', async () => {
  const batches = [
    write(0, 1, 'a'),
    write(1, 1, 'b'),
    end(2, 1, 'abort'),
    write(3, 1, 'c'),
    end(4, 1, 'commit'),
  ];
  expect(await read(batches, 0, [{ producerId: 1n, firstOffset: 0 }])).toEqual({ values: ['3 c'], next: 5 });
});

test('several that were aborted at the same time, in the order of their ends', async () => {
  const batches = [
    ...[
      write(0, 1, 'a'),
      write(1, 2, 'b'),
      write(2, 3, 'c'),
      write(3, 4, 'd'),
      batch({ first: 4, values: ['e'] }),
    ],
    ...[write(5, 1, 'f'), end(6, 4, 'commit'), end(7, 3, 'abort'), end(8, 2, 'abort'), write(9, 1, 'g')],
    ...[end(10, 1, 'abort'), write(11, 3, 'h'), end(12, 3, 'commit'), write(13, 2, 'i'), end(14, 2, 'abort')],
  ];
  // As a broker tells it: those that end behind the offset that was asked for, by where they ended.
  const listed = (from: number) =>
    [
      { producerId: 3n, firstOffset: 2, end: 7 },
      { producerId: 2n, firstOffset: 1, end: 8 },
      { producerId: 1n, firstOffset: 0, end: 10 },
      { producerId: 2n, firstOffset: 13, end: 14 },
    ].filter((of) => of.end >= from);
  for (let from = 0; from < 15; from++) {
    const { values, next } = await read(batches.slice(from), from, listed(from));
    expect(values).toEqual(['3 d', '4 e', '11 h'].filter((line) => Number(line.split(' ')[0]) >= from));
    expect(next).toBe(15);
  }
});

test.each([
  ['another format', (bytes: Buffer) => bytes.writeInt8(1, 16), 'format 1'],
  ['a codec that does not exist', (bytes: Buffer) => bytes.writeInt16BE(3, 21), 'codec 3'],
  ['more records than there are', (bytes: Buffer) => bytes.writeInt32BE(1_000_000, 57), ''],
  ['a value that is longer than the batch', (bytes: Buffer) => bytes.writeUInt8(0x7e, 66), ''],
  ['bytes that are not what they were compressed by', (bytes: Buffer) => bytes.writeInt16BE(1, 21), ''],
])('%s is an error', async (_what, spoil, message) => {
  const bytes = batch({ first: 0, values: ['a', 'b'] });
  spoil(bytes);
  await expect(read([sealed(bytes)])).rejects.toThrow(message);
});

/** The same bytes with one bit turned. */
function withFlipped(bytes: Buffer, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
  return copy;
}

const DAMAGED = { code: 'KAFKA_RECORDS_DAMAGED', retriable: true };

test.each([false, true])('any bit of a batch that turned is noticed (compressed: %s)', async (gzip) => {
  const bytes = batch({ first: 0, values: ['a', 'bc'], gzip });
  const checksumAt = 17;
  for (let bit = 8 * checksumAt; bit < 8 * bytes.length; bit++)
    await expect(read([withFlipped(bytes, bit)])).rejects.toMatchObject(DAMAGED);
});

test('a bit of the length or the format that turned never lets records through that are not there', async () => {
  const bytes = batch({ first: 0, values: ['a', 'bc'] });
  const [lengthAt, leaderEpochAt, formatAt] = [8, 12, 16];
  for (let bit = 8 * lengthAt; bit < 8 * (formatAt + 1); bit++) {
    // The leader's epoch is not used here.
    if (bit >= 8 * leaderEpochAt && bit < 8 * formatAt) continue;
    const found = await read([withFlipped(bytes, bit)]).catch((error: Error) => error);
    if (!(found instanceof Error)) expect(found).toEqual({ values: [], next: 0 });
  }
});

test('what lies before a damaged batch is read; the next fetch begins with it', async () => {
  const [whole, damaged] = [batch({ first: 0, values: ['a'] }), batch({ first: 1, values: ['b'] })];
  const batches = [whole, withFlipped(damaged, 8 * 66), batch({ first: 2, values: ['c'] })];
  expect(await read(batches)).toEqual({ values: ['0 a'], next: 1 });
  await expect(read(batches.slice(1), 1)).rejects.toMatchObject(DAMAGED);
});

test('a batch that begins before the end of the one in front of it is damaged', async () => {
  const batches = [batch({ first: 4, values: ['a', 'b'] }), batch({ first: 5, values: ['c'] })];
  expect(await read(batches, 4)).toEqual({ values: ['4 a', '5 b'], next: 6 });
});

test.each([-13, -12, 0, 10, -(2 ** 31)])(
  'a length of %i is an error, and no loop without end',
  async (length) => {
    const bytes = batch({ first: 0, values: ['a'] });
    bytes.writeInt32BE(length, 8);
    await expect(read([bytes])).rejects.toThrow();
  },
);

test('numbers of 32 bits', () => {
  const numbers = [0, 1, -1, 63, 64, -64, -65, 8_191, 8_192, 2 ** 31 - 1, -(2 ** 31)];
  const reader = new BytesReader(Buffer.concat(numbers.map(zigzag)), 0);
  expect(numbers.map(() => reader.varint())).toEqual(numbers);
});

test('numbers of 64 bits, exact as far as a number can be', () => {
  const numbers = [0, -1, 2 ** 31, -(2 ** 31), 2 ** 32, 1_700_000_000_000, -1_700_000_000_000, 2 ** 52];
  const reader = new BytesReader(Buffer.concat(numbers.map(zigzag)), 0);
  expect(numbers.map(() => reader.varlong())).toEqual(numbers);
});

test('bytes, none, and none at all', () => {
  const bytes = Buffer.concat([zigzag(3), Buffer.from('abc'), zigzag(0), zigzag(-1), zigzag(7)]);
  const reader = new BytesReader(bytes, 0);
  expect(String(reader.varBytes())).toBe('abc');
  expect(reader.varBytes()).toEqual(Buffer.alloc(0));
  expect(reader.varBytes()).toBeNull();
  expect(reader.varint()).toBe(7);
});

test.each([
  ['a number that does not end', Buffer.alloc(12, 0xff)],
  ['a number that is cut off', Buffer.from([0x80])],
  ['nothing', Buffer.alloc(0)],
])('%s is an error', (_what, bytes) => {
  expect(() => new BytesReader(bytes, 0).varint()).toThrow(RangeError);
  expect(() => new BytesReader(bytes, 0).varlong()).toThrow(RangeError);
  expect(() => new BytesReader(bytes, 0).varBytes()).toThrow(RangeError);
});

test('bytes beyond the end are an error', () => {
  expect(() => new BytesReader(Buffer.concat([zigzag(4), Buffer.from('abc')]), 0).varBytes()).toThrow(
    RangeError,
  );
  expect(() => new BytesReader(zigzag(2 ** 31 - 1), 0).varBytes()).toThrow(RangeError);
});
