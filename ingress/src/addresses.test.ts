import { describe, expect, test } from 'vitest';
import {
  AddressList,
  clientAddress,
  forwardingOf,
  isLoopback,
  networkOf,
  parseForwarded,
} from './addresses.ts';

describe('AddressList', () => {
  const list = new AddressList(['192.0.2.0/24', '2001:db8::/32', '198.51.100.7', '::ffff:203.0.113.0/120']);
  test.each(['192.0.2.1', '::ffff:192.0.2.1', '2001:db8::1', '198.51.100.7', '203.0.113.9'])(
    'has %s',
    (address) => {
      expect(list.contains(address)).toBe(true);
    },
  );
  test.each(['192.0.3.1', '2001:db9::1', '198.51.100.8', '', 'unknown', '192.0.2', '3221225985', undefined])(
    'has not %s',
    (address) => {
      expect(list.contains(address)).toBe(false);
    },
  );
  test.each(['example.com', '192.0.2.0/33', '', '::/129'])('refuses %j', (entry) => {
    expect(() => new AddressList([entry])).toThrow(/neither an address nor a CIDR/);
  });
});

describe('clientAddress', () => {
  const trusted = new AddressList(['10.0.0.0/8', '::1']);
  test.each<[string, string | undefined, string | undefined]>([
    ['203.0.113.7', '1.1.1.1', '203.0.113.7'],
    ['::ffff:203.0.113.7', undefined, '203.0.113.7'],
    ['10.0.0.1', '1.1.1.1', '1.1.1.1'],
    ['10.0.0.1', '9.9.9.9, 1.1.1.1:4711, 10.2.2.2', '1.1.1.1'],
    ['::1', '[2001:db8::5]:443', '2001:db8::5'],
    ['10.0.0.1', '10.3.3.3, 10.2.2.2', '10.3.3.3'],
    ['10.0.0.1', '1.1.1.1, garbage', undefined],
    ['10.0.0.1', '', undefined],
  ])('peer %s, X-Forwarded-For %s', (peer, forwardedFor, expected) => {
    expect(clientAddress(peer, forwardedFor, trusted)).toBe(expected);
  });
});

test.each([
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['localhost', true],
  ['0.0.0.0', false],
  ['::', false],
  ['192.0.2.1', false],
  ['example.com', false],
])('isLoopback %s', (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});

test('a network of 64 bits shares a fate, an IPv4 address is alone', () => {
  const same = ['2001:db8:0:1::1', '2001:db8:0:1:ffff::', '2001:db8:0:1:2:3:4:5'];
  expect(new Set(same.map(networkOf)).size).toBe(1);
  const all = ['2001:db8::1', '2001:db8:0:1::1', '192.0.2.1', '192.0.2.2', undefined];
  expect(new Set(all.map(networkOf)).size).toBe(all.length);
  expect(networkOf('::ffff:192.0.2.1')).toBe(networkOf('192.0.2.1'));
});

describe('Forwarded', () => {
  test.each([
    ['for=192.0.2.60;proto=https;by=203.0.113.43', '192.0.2.60', 'https'],
    ['For="[2001:db8:cafe::17]:4711"; Proto=HTTPS', '[2001:db8:cafe::17]:4711', 'https'],
    ['for=192.0.2.43, for=198.51.100.17;proto=http', '192.0.2.43,198.51.100.17', 'http'],
    ['for=unknown, proto=https', 'unknown,', 'https'],
    ['for=_hidden;proto=https, for=192.0.2.1', '_hidden,192.0.2.1', undefined],
    ['for="192.0.2.1\\:80"', '192.0.2.1:80', undefined],
  ])('%s', (header, chain, protocol) => {
    expect(parseForwarded(header)).toEqual({ chain, protocol });
  });

  test.each([
    undefined,
    '',
    'for',
    'for=',
    'for="1.2.3.4',
    'for="x, for=192.0.2.1;proto=https',
    'for="a,b"',
    'for=192.0.2.1;for=192.0.2.2',
    'for=1.2.3.4 5',
    '=x',
  ])('%s says nothing', (header) => {
    expect(parseForwarded(header)).toEqual({ chain: undefined, protocol: undefined });
  });
});

describe('which headers count', () => {
  const both = {
    'x-forwarded-for': '192.0.2.1',
    'x-forwarded-proto': 'http, https',
    forwarded: 'for=192.0.2.9;proto=http',
  };
  const { forwarded, ...older } = both;
  test.each([
    ['any', both, '192.0.2.1', 'https'],
    ['any', older, '192.0.2.1', 'https'],
    ['any', { forwarded }, '192.0.2.9', 'http'],
    ['any', { forwarded, 'x-forwarded-proto': 'https' }, undefined, 'https'],
    ['x-forwarded', { forwarded }, undefined, undefined],
    ['forwarded', both, '192.0.2.9', 'http'],
    ['forwarded', older, undefined, undefined],
  ] as const)('%s of %j', (which, headers, chain, protocol) => {
    expect(forwardingOf(headers, which)).toEqual({ chain, protocol });
  });
});
