import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { DocumentFetcher, type FetcherOptions, FetchFailed } from './document-fetcher.ts';
import { guardedLookup, isPublic } from './fetch-address.ts';
import { serverCertificate } from './testing/certificate.ts';

let pair: { cert: string; key: string };
beforeAll(async () => {
  pair = await serverCertificate('01');
});

/** A server on this machine that counts who comes; names are resolved as the test says. */
async function inside(options: Omit<FetcherOptions, 'ca'>) {
  let connections = 0;
  const server = createServer(pair, (_, response) => response.end('PEM'));
  server.on('connection', () => connections++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const fetcher = new DocumentFetcher({ ca: pair.cert, timeoutMs: 2_000, ...options });
  onTestFinished(async () => {
    await fetcher.close();
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { fetcher, port, connections: () => connections };
}

const answering =
  (...addresses: string[]): NonNullable<FetcherOptions['resolve']> =>
  async () =>
    addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));

describe('a name that leads inside', () => {
  test.each([
    ['loopback', ['127.0.0.1']],
    ['a private network', ['10.1.2.3']],
    ['the metadata of a cloud', ['169.254.169.254']],
    ['one of two', ['203.0.113.1', '192.168.0.1']],
    ['IPv6 loopback', ['::1']],
    ['a mapped address', ['::ffff:127.0.0.1']],
    ['a mapped address in hex', ['::ffff:7f00:1']],
    ['a translated address', ['64:ff9b::7f00:1']],
    ['unique local', ['fd00::1']],
    ['link-local', ['fe80::1']],
    ['6to4', ['2002:7f00:1::']],
    ['no address at all', ['0.0.0.0']],
    ['shared', ['100.64.0.1']],
  ])('%s is not asked', async (_, addresses) => {
    const { fetcher, port, connections } = await inside({ resolve: answering(...addresses) });
    await expect(fetcher.document(`https://localhost:${port}/cert.pem`)).rejects.toThrow(FetchFailed);
    await expect(fetcher.visit(`https://localhost:${port}/`)).rejects.toThrow(FetchFailed);
    expect(connections()).toBe(0);
  });

  test('is asked where that is allowed', async () => {
    const { fetcher, port, connections } = await inside({
      resolve: answering('127.0.0.1'),
      mayReach: () => true,
    });
    // Whom it finds there must still prove to be the one that was meant.
    await expect(fetcher.document(`https://localhost:${port}/cert.pem`)).rejects.toMatchObject({
      cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    });
    expect(connections()).toBe(1);
  });
});

test.each([
  'https://127.0.0.1/',
  'https://[::1]/',
  'https://[::ffff:7f00:1]/',
  'https://0x7f000001/',
  'https://2130706433/',
])('an address in the place of a name: %s', async (url) => {
  const { fetcher, port, connections } = await inside({});
  const { protocol, hostname, pathname } = new URL(url);
  await expect(fetcher.visit(`${protocol}//${hostname}:${port}${pathname}`)).rejects.toThrow('not allowed');
  expect(connections()).toBe(0);
});

test('credentials in a URL', async () => {
  const { fetcher } = await inside({});
  await expect(fetcher.visit('https://sns.eu-west-1.amazonaws.com@localhost/')).rejects.toThrow(
    'not allowed',
  );
  await expect(fetcher.visit('https://a:b@localhost/')).rejects.toThrow('not allowed');
});

test('a name that nobody knows', async () => {
  const { fetcher } = await inside({ resolve: answering() });
  await expect(fetcher.visit('https://localhost/')).rejects.toThrow(FetchFailed);
});

test.each([
  ['203.0.113.1', false],
  ['52.95.110.1', true],
  ['2600:1f24:64:8000::1', true],
  ['64:ff9b::345f:6e01', true],
  ['224.0.0.1', false],
  ['nonsense', false],
])('%s is public: %s', (address, expected) => expect(isPublic(address)).toBe(expected));

test.each([
  [['52.95.110.1', '2600:1f24:64:8000::1'], true],
  [['52.95.110.1', '127.0.0.1'], false],
  [['127.0.0.1', '52.95.110.1'], false],
  [[], false],
])('a name that leads to %j is found: %s', async (addresses, expected) => {
  const lookup = guardedLookup(answering(...addresses), isPublic);
  const found = await new Promise((resolve) => {
    lookup('sns.example', { all: true }, (error, all) => resolve(error ? false : all));
  });
  expect(found).toEqual(expected && addresses.map((address, i) => ({ address, family: i === 0 ? 4 : 6 })));
});
