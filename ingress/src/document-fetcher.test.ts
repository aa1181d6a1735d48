import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { makeCertificate } from '@email-events/dev/certificates';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import {
  DocumentFetcher,
  type FetcherOptions,
  FetchFailed,
  guardedLookup,
  isPublic,
} from './document-fetcher.ts';

let pair: { cert: string; key: string };
beforeAll(async () => {
  pair = await makeCertificate(['127.0.0.1']);
});

async function vendor(listener: RequestListener, options: FetcherOptions = {}) {
  const server = createServer(pair, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const fetcher = new DocumentFetcher({ ca: pair.cert, mayReach: () => true, ...options });
  onTestFinished(async () => {
    await fetcher.close();
    server.closeAllConnections();
    server.close();
  });
  return { fetcher, url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/cert.pem` };
}

test('fetched once, however many ask', async () => {
  let requests = 0;
  const { fetcher, url } = await vendor((_, response) => {
    requests += 1;
    response.end('PEM');
  });
  expect(await Promise.all([fetcher.document(url), fetcher.document(url)])).toEqual(['PEM', 'PEM']);
  expect(await fetcher.document(url)).toBe('PEM');
  expect(requests).toBe(1);
});

test('a failure is remembered for a moment', async () => {
  let requests = 0;
  const { fetcher, url } = await vendor((_, response) => {
    requests += 1;
    response.writeHead(500).end();
  });
  for (let i = 0; i < 3; i++) await expect(fetcher.document(url)).rejects.toThrow(FetchFailed);
  expect(requests).toBe(1);
});

test.each<[string, RequestListener]>([
  ['a redirect is not followed', (_, response) => response.writeHead(302, { location: '/other' }).end()],
  ['not found', (_, response) => response.writeHead(404).end()],
  ['too large', (_, response) => response.end('x'.repeat(2_000))],
  ['too slow', () => {}],
  [
    'cut off',
    (_, response) => response.writeHead(200, { 'content-length': 10 }).write('x', () => response.destroy()),
  ],
])('%s', async (_, listener) => {
  let requests = 0;
  const { fetcher, url } = await vendor(
    (request, response) => {
      requests += 1;
      listener(request, response);
    },
    { maxBytes: 1_000, timeoutMs: 300 },
  );
  await expect(fetcher.visit(url)).rejects.toThrow(FetchFailed);
  expect(requests).toBe(1);
});

test('no other scheme, no unknown authority, no flood', async () => {
  const { fetcher, url } = await vendor(() => {}, { maxConcurrent: 1, timeoutMs: 300 });
  await expect(fetcher.document(url.replace('https:', 'http:'))).rejects.toThrow('not https');
  await expect(fetcher.document('no url')).rejects.toThrow(FetchFailed);
  const first = fetcher.visit(url);
  await expect(fetcher.visit(url)).rejects.toThrow('too many');
  await expect(first).rejects.toThrow(FetchFailed);
  const other = new DocumentFetcher({ mayReach: () => true });
  await expect(other.visit(url)).rejects.toThrow(FetchFailed);
  await other.close();
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
