import { describe, expect, test } from 'vitest';
import { parseFields, parseOptions, parseRequest } from './inspect-request.ts';

const NOW = Date.UTC(2026, 0, 2);
const parse = (request: unknown) => parseRequest(JSON.stringify(request), () => NOW);
const code = (work: () => unknown) => {
  try {
    work();
  } catch (error) {
    return (error as { code?: string }).code;
  }
  return undefined;
};

describe('fields', () => {
  test('of a request are as in a source', () => {
    const fields = { campaign: ['metadata.a', 'esp'], user: 'headers.x-user' };
    expect(parse({ body: '', fields }).fields).toEqual(fields);
    expect(parse({ body: '' }).fields).toBeUndefined();
  });

  test('of the command line are one path each, in order', () => {
    expect(parseFields([])).toBeUndefined();
    expect(parseFields(['campaign=metadata.a=b', 'user=esp', 'campaign=esp'])).toEqual({
      campaign: ['metadata.a=b', 'esp'],
      user: ['esp'],
    });
    for (const pair of ['campaign', '=esp', 'mailing=esp', 'campaign=', 'campaign=tags.x'])
      expect(
        code(() => parseFields([pair])),
        pair,
      ).toBe('CLI_USAGE');
  });
});

describe('parseRequest', () => {
  test('reads a request; receivedAt is the clock', () => {
    const { request, esp, secrets, options } = parse({
      method: 'post',
      url: '/webhooks/x?a=1',
      headers: { 'Content-Type': 'application/json', 'X-Many': ['a', 'b'] },
      body: 'grüße',
      receivedAt: '2025-12-31T23:59:59.500Z',
    });
    expect(request).toEqual({
      method: 'POST',
      url: '/webhooks/x?a=1',
      headers: { 'content-type': 'application/json', 'x-many': 'a, b' },
      body: Buffer.from('grüße'),
      receivedAt: Date.UTC(2025, 11, 31, 23, 59, 59, 500),
    });
    expect([esp, secrets, options]).toEqual([undefined, undefined, undefined]);
  });

  test('now is the clock when receivedAt is absent', () => {
    expect(parse({ body: '' }).request.receivedAt).toBe(NOW);
  });

  test('a base64 body is its bytes, valid text or not', () => {
    const bytes = Buffer.from([0xff, 0x00, 0xc3, 0x28]);
    const { request } = parse({ body: bytes.toString('base64'), bodyEncoding: 'base64' });
    expect(request.body).toEqual(bytes);
  });

  test('joins a header that comes in two spellings', () => {
    expect(parse({ body: '', headers: { A: '1', a: '2' } }).request.headers.a).toBe('1, 2');
  });

  test('a header may be named like a member of Object', () => {
    expect(parse({ body: '', headers: { constructor: 'x' } }).request.headers.constructor).toBe('x');
    expect(parse({ body: '' }).request.headers.constructor).toBeUndefined();
  });

  test.each([
    ['a list', []],
    ['a text', 'x'],
    ['a number for a body', { body: 1 }],
    ['an unknown encoding', { body: '', bodyEncoding: 'hex' }],
    ['no base64', { body: 'a*b', bodyEncoding: 'base64' }],
    ['no time', { body: '', receivedAt: 'yesterday' }],
    ['fields that there are not', { body: '', fields: { mailing: 'esp' } }],
    ['fields whose paths are none', { body: '', fields: { campaign: ['esp', 'tags.x'] } }],
    ['fields that are a text', { body: '', fields: 'campaign' }],
    ['headers that are a list', { body: '', headers: ['a'] }],
    ['an object for a header', { body: '', headers: { a: {} } }],
    ['secrets that are no list', { body: '', secrets: 'x' }],
    ['options that are no object', { body: '', options: [] }],
    ['an empty object', {}],
    ['what an ESP posts', { event: 'click', url: 'https://shop.example/', MessageID: 1 }],
    ['another file', { name: 'email-events', scripts: {} }],
    ['a fixture without a request', { description: 'x', request: {}, credentials: {} }],
  ])('refuses %s', (_what, request) => {
    expect(code(() => parse(request))).toBe('INSPECT_REQUEST_INVALID');
  });

  test('needs no body where it has a method and a URL', () => {
    expect(parse({ method: 'GET', url: '/?to=a' }).request).toMatchObject({ method: 'GET', url: '/?to=a' });
  });

  test('reads a fixture, with its credentials', () => {
    const fixture = {
      description: 'one',
      request: { method: 'POST', url: '/', headers: {}, body: 'x' },
      credentials: { secrets: ['s'], options: { a: 'b' } },
      expected: {},
    };
    const { request, ...how } = parse(fixture);
    expect(request.body).toEqual(Buffer.from('x'));
    expect(how).toEqual({ esp: undefined, secrets: ['s'], options: { a: 'b' } });
  });

  test('refuses what is no JSON', () => {
    expect(code(() => parseRequest('{', () => NOW))).toBe('INSPECT_REQUEST_INVALID');
  });
});

describe('parseOptions', () => {
  test('texts, repeated keys as lists, JSON where it is meant', () => {
    expect(
      parseOptions([
        'url=https://a.example/?b=c',
        'topicArns=arn:1',
        'topicArns=arn:2',
        'certificates={"https://x":"PEM"}',
        'single=["one"]',
        'brace={not json',
      ]),
    ).toEqual({
      url: 'https://a.example/?b=c',
      topicArns: ['arn:1', 'arn:2'],
      certificates: { 'https://x': 'PEM' },
      single: ['one'],
      brace: '{not json',
    });
  });

  test('refuses what has no key', () => {
    expect(code(() => parseOptions(['=x']))).toBe('CLI_USAGE');
    expect(code(() => parseOptions(['x']))).toBe('CLI_USAGE');
  });
});
