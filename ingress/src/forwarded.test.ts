import { describe, expect, test } from 'vitest';
import { forwardingOf, parseForwarded } from './forwarded.ts';

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
