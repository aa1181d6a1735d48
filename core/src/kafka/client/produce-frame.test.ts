import { createRequire } from 'node:module';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeRecords } from '../read/record-batches.ts';
import { encodeProduce, type ProduceQuery } from './produce-frame.ts';

type Protocol = (of: { version: number }) => (query: ProduceQuery) => { readonly request: object };
const require = createRequire(import.meta.url);
const { requests } = require('kafkajs/src/protocol/requests/index.js') as {
  requests: { readonly Produce: { readonly protocol: Protocol } };
};
const kafkajsFrame = require('kafkajs/src/protocol/request.js') as (
  of: object,
) => Promise<{ buffer: Buffer }>;

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const message = fc.record({
  key: fc.option(fc.oneof(bytes(20), fc.string())),
  value: fc.option(
    fc.oneof(
      bytes(40),
      fc.constantFrom(63, 64, 8_191, 8_192, 70_000).map((n) => Buffer.alloc(n, 1)),
    ),
  ),
  headers: fc.dictionary(
    fc.string({ unit: 'grapheme' }).map((name) => `h${name}`),
    fc.oneof(bytes(70), fc.string()),
  ),
  // Of one number of digits: kafkajs sorts them as text.
  timestamp: fc.integer({ min: 1_000_000_000_000, max: 1_900_000_000_000 }).map(String),
});
const partition = (isNumbered: boolean) =>
  fc.record({
    partition: fc.nat({ max: 100_000 }),
    messages: fc.array(message, { minLength: 1, maxLength: 70 }),
    ...(isNumbered ? { firstSequence: fc.nat() } : {}),
  });
const topicData = (isNumbered: boolean) =>
  fc.array(
    fc.record({
      topic: fc.string({ unit: 'grapheme' }),
      partitions: fc.array(partition(isNumbered), { maxLength: 3 }),
    }),
    { maxLength: 3 },
  );
const base = { acks: fc.constantFrom(-1, 1), timeout: fc.nat() };
const query: fc.Arbitrary<ProduceQuery> = fc.oneof(
  fc.record({ ...base, topicData: topicData(false) }),
  fc.record({
    ...base,
    transactionalId: fc.string({ unit: 'grapheme', minLength: 1 }),
    producerId: fc.bigInt({ min: 0n, max: 2n ** 62n }).map(String),
    producerEpoch: fc.integer({ min: 0, max: 32_767 }),
    topicData: topicData(true),
  }),
);

test.each([3, 7])('version %i is, byte for byte, what kafkajs makes of it', async (version) => {
  await fc.assert(
    fc.asyncProperty(query, fc.nat(), fc.string(), async (query, correlationId, clientId) => {
      const { request } = requests.Produce.protocol({ version })(query);
      const theirs = await kafkajsFrame({ correlationId, clientId, request });
      const head = { apiKey: 0, apiVersion: version, correlationId, clientId };
      expect(encodeProduce(query, head).equals(theirs.buffer)).toBe(true);
    }),
    { numRuns: 200 },
  );
});

const HEAD = { apiKey: 0, apiVersion: 7, correlationId: 1, clientId: 'c' };
/** Of a request with this head to one partition of the topic t: everything in front of its batch. */
const BATCH_AT = 4 + 8 + 3 + 2 + 6 + 4 + 3 + 4 + 8;

test('what is written is what is read, as late as 2^52 ms and with times in any order', async () => {
  const messages = [5, 0, 2 ** 52].map((timestamp, i) => ({
    key: `k${i}`,
    value: Buffer.from(`v${i}`),
    headers: { a: Buffer.from('b') },
    timestamp: String(timestamp),
  }));
  const topicData = [{ topic: 't', partitions: [{ partition: 3, messages }] }];
  const frame = encodeProduce({ acks: -1, timeout: 1_000, topicData }, HEAD);
  const of = { topic: 't', partition: 3 };
  const { records } = await decodeRecords(of, frame.subarray(BATCH_AT), 0, []);
  expect(records.map(({ key, value, timestamp }) => `${key} ${value} ${timestamp}`)).toEqual([
    'k0 v0 5',
    'k1 v1 0',
    `k2 v2 ${2 ** 52}`,
  ]);
});

test('a record without a time is of now', async () => {
  const before = Date.now();
  const topicData = [{ topic: 't', partitions: [{ partition: 0, messages: [{ key: null, value: null }] }] }];
  const frame = encodeProduce({ acks: -1, timeout: 1_000, topicData }, HEAD);
  const { records } = await decodeRecords({ topic: 't', partition: 0 }, frame.subarray(BATCH_AT), 0, []);
  const [record] = records;
  expect(record?.timestamp).toBeGreaterThanOrEqual(before);
  expect(record?.timestamp).toBeLessThanOrEqual(Date.now());
  expect(record).toMatchObject({ key: null, value: null, headers: {} });
});
