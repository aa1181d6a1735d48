import { avroType, topicCatalogue, topics } from '@email-events/schemas';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { commonConfig } from '../config/index.ts';
import {
  deadLetterKey,
  deadLetterOf,
  deadLetterPartition,
  decodeRawHeaders,
  encodeRawHeaders,
  encodeReplay,
  type InputRecord,
  type RawHeaders,
  type RawRequest,
  type Replay,
  rawHeadersEncoder,
} from './records.ts';

const record: InputRecord = {
  topic: 'email.raw',
  partition: 2,
  offset: 7,
  key: null,
  value: Buffer.from([0xff, 0]),
  headers: { source: Buffer.from('main'), odd: Buffer.from([0, 255]) },
  timestamp: 1_000,
};
const failure = { stage: 'normalize', code: 'C', message: 'm', firstAt: 5_000 };
const item = (index: number) => ({ ...failure, item: { index, bytes: null } });

function putBack(letters: Replay['letters'], items: Replay['items'] = null): InputRecord {
  const { topic, partition, offset, timestamp: recordedAt } = record;
  const replay = { topic, partition, offset, recordedAt, sink: null, items, events: null, letters };
  const headers = { ...record.headers, replay: encodeReplay({ reason: 'dead-letter', ...replay }) };
  return { ...record, partition: 3, offset: 900, timestamp: 2_000, headers };
}

test('a letter keeps all that is known of its record', () => {
  expect(deadLetterOf(record, failure)).toMatchObject({
    origin_topic: 'email.raw',
    origin_partition: 2,
    origin_offset: 7,
    recorded_at: 1_000,
    value: record.value,
    headers: record.headers,
    attempts: 1,
    first_at: 5_000,
    status: 'open',
    replays: 0,
  });
});

test('what was put back and fails again is counted on the same letter', () => {
  const first = deadLetterOf(record, item(4));
  const again = deadLetterOf(putBack([{ item: 4, attempts: 2, firstAt: 3_000, replays: 2 }], [4]), item(4));
  expect(again).toMatchObject({
    attempts: 3,
    first_at: 3_000,
    last_at: 5_000,
    replays: 2,
    recorded_at: 1_000,
  });
  expect(again.headers).toEqual(record.headers);
  expect(deadLetterKey(again)).toBe(deadLetterKey(first));
  for (const partitions of [1, 3, 64]) {
    expect(deadLetterPartition(again, partitions)).toBe(deadLetterPartition(first, partitions));
  }
});

test('an item of a record that could not be read at all goes on from the letter of the whole', () => {
  const letter = deadLetterOf(putBack([{ item: null, attempts: 1, firstAt: 3_000, replays: 1 }]), item(0));
  expect(letter).toMatchObject({ item_index: 0, attempts: 2, first_at: 3_000 });
});

test('a letter of the largest request fits into its topic, with the largest item that it carries', () => {
  const limit = (settings: { maxRequestBytes: number }) => {
    const { topics: defaults } = commonConfig.parse({});
    const specs = topicCatalogue({ ...defaults, ...settings });
    return Number(specs.find(({ name }) => name === topics.deadLetters)?.config['max.message.bytes']);
  };
  for (const maxRequestBytes of [65_536, 4_194_304, 16_777_216]) {
    const request = Buffer.alloc(16_384 * 6);
    const whole = { ...record, value: Buffer.alloc(maxRequestBytes), headers: { request } };
    for (const bytes of [null, Buffer.alloc(10), Buffer.alloc(maxRequestBytes)]) {
      const letter = deadLetterOf(whole, {
        ...failure,
        message: 'm'.repeat(1_000),
        item: { index: 0, bytes },
      });
      expect(letter.value).toBe(whole.value);
      // A schema id before it, a batch's head around it.
      expect(avroType('deadLetter').toBuffer(letter).length + 1_000).toBeLessThan(limit({ maxRequestBytes }));
    }
  }
});

const request: RawRequest = {
  requestId: '0197a0b0-0000-7000-8000-000000000000',
  source: 'zürich-1',
  esp: 'postmark',
  account: 'shop',
  identityVersion: 2,
  tokenDigest: '0123456789abcdef0123456789abcdef',
  receivedAt: 1_700_000_000_123,
  method: 'POST',
  url: '/webhooks/email-events/x?a=1&a=2',
  contentType: null,
  remoteAddress: '::1',
  headers: { 'x-a': 'é', 'x-b': '' },
};

test('what is encoded is decoded', () => {
  expect(decodeRawHeaders(encodeRawHeaders(request))).toEqual(request);
});

test('few headers, all bytes', () => {
  const headers = encodeRawHeaders(request);
  expect(Object.keys(headers)).toEqual(['request-id', 'source', 'request']);
  expect(headers.request.toString()).not.toContain(request.requestId);
});

test('other clients give texts or plain bytes', () => {
  const headers = Object.entries(encodeRawHeaders(request));
  expect(
    decodeRawHeaders(Object.fromEntries(headers.map(([name, value]) => [name, value.toString()]))),
  ).toEqual(request);
  expect(
    decodeRawHeaders(Object.fromEntries(headers.map(([name, value]) => [name, new Uint8Array(value)]))),
  ).toEqual(request);
});

test('what an older version did not write gets a default', () => {
  const minimal = Buffer.from(JSON.stringify({ esp: 'ses', receivedAt: 5 }));
  expect(decodeRawHeaders({ 'request-id': 'r', source: 's', request: minimal })).toEqual({
    requestId: 'r',
    source: 's',
    esp: 'ses',
    account: null,
    identityVersion: 1,
    tokenDigest: null,
    receivedAt: 5,
    method: 'POST',
    url: '/',
    contentType: null,
    remoteAddress: null,
    headers: {},
  });
});

test.each([
  {},
  { 'request-id': 'r', source: 's' },
  { 'request-id': 'r', request: '{"esp":"ses","receivedAt":5}' },
  { source: 's', request: '{"esp":"ses","receivedAt":5}' },
  { 'request-id': ['r'], source: 's', request: '{"esp":"ses","receivedAt":5}' },
  { 'request-id': 'r', source: 's', request: '{' },
  { 'request-id': 'r', source: 's', request: 'null' },
  { 'request-id': 'r', source: 's', request: '{"esp":"ses"}' },
  { 'request-id': 'r', source: 's', request: '{"esp":7,"receivedAt":5}' },
  { 'request-id': 'r', source: 's', request: '{"esp":"ses","receivedAt":"5"}' },
])('%j are not the headers of a raw record', (headers) => {
  expect(decodeRawHeaders(headers)).toBeUndefined();
});

test('what a source encodes is what is encoded for any request', () => {
  const text = fc.constantFrom('', 'shop', 'ü', '"', '\\', '\n', '\u2028', '\ud800', '</a>', '\u0000');
  const origin = fc.record({
    ...{ source: text, esp: text, account: fc.option(text), identityVersion: fc.nat() },
  });
  const rest = fc.record({
    ...{ requestId: fc.uuid({ version: 7 }), receivedAt: fc.nat(), method: text, url: text },
    ...{ contentType: fc.option(text), remoteAddress: fc.option(text), headers: fc.dictionary(text, text) },
    tokenDigest: fc.option(text),
  });
  fc.assert(
    fc.property(origin, rest, (origin, rest) => {
      const { tokenDigest, ...others } = rest;
      const digest = tokenDigest === null ? {} : { tokenDigest };
      const { requestId, receivedAt, method, url, contentType, remoteAddress, headers } = others;
      const { source, esp, account, identityVersion } = origin;
      const known = { requestId, source, esp, account, identityVersion, receivedAt };
      const asked = { method, url, contentType, remoteAddress, headers };
      const texts = (of: RawHeaders) => Object.entries(of).map(([name, value]) => `${name} ${value}`);
      expect(texts(rawHeadersEncoder(origin)(rest))).toEqual(
        texts(encodeRawHeaders({ ...known, ...asked, ...digest })),
      );
    }),
    { numRuns: 40 },
  );
});
