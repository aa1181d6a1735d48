import { expect, test } from 'vitest';
import { decodeRawHeaders, encodeRawHeaders, type RawRequest } from './raw-record.ts';

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
