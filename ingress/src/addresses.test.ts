import { describe, expect, test } from 'vitest';
import { AddressList, clientAddress, isLoopback, networkOf } from './addresses.ts';

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
