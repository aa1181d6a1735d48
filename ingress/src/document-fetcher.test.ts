import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { DocumentFetcher, type FetcherOptions, FetchFailed } from './document-fetcher.ts';
import { serverCertificate } from './testing/certificate.ts';

let pair: { cert: string; key: string };
beforeAll(async () => {
  pair = await serverCertificate('01');
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
