import { expect, test } from 'vitest';
import { z } from 'zod';
import { JsonApi, path, readAs, shaped } from './json-api.ts';
import { PlayedServer } from './testing/harness.ts';

test('a value is one part of a path or of a query, whatever is in it', () => {
  const at = path`/a/${'b/../c?d=e#f%2f'}?q=${'g&h=i j'}&n=${7}`;
  expect(at).toBe('/a/b%2F..%2Fc%3Fd%3De%23f%252f?q=g%26h%3Di%20j&n=7');
  const url = new URL(`https://crm.example${at}`);
  expect(decodeURIComponent(url.pathname)).toBe('/a/b/../c?d=e#f%2f');
  expect(url.searchParams.get('q')).toBe('g&h=i j');
});

test.each(['<html>', '', 'null', '{"id":"1"}', '[1]'])(
  '%j is not what was asked for, and is not quoted',
  (body) => {
    const shape = z.object({ id: z.int() });
    expect(readAs(shape, body)).toBeUndefined();
    expect(() => shaped(shape, { status: 200, headers: {}, body })).toThrow(
      'the answer has another form than documented',
    );
  },
);

test('headers of the CRM replace the usual ones, and every call is one of its pace', async () => {
  const answer = () => ({ status: 200, body: '{}' });
  const nobody = {
    wrongSecrets: [],
    recipientOf: () => undefined,
    held: () => undefined,
    recipients: () => [],
  };
  const server = await PlayedServer.start({ ...nobody, settings: (url) => ({ url, secrets: [] }), answer });
  let paced = 0;
  const pace = {
    run<T>(call: () => Promise<T>) {
      paced += 1;
      return call();
    },
  };
  const limits = { timeoutMs: 5_000, concurrency: 1, now: Date.now, pace };
  const media = { accept: 'application/vnd.api+json', 'content-type': 'application/vnd.api+json' };
  const { signal } = new AbortController();
  for (const headers of [{}, media]) {
    const api = new JsonApi({ base: `${server.base}/`, headers, limits });
    await api.send('POST', path`/a`, {}, signal);
    await api.close();
  }
  await server.close();
  expect(
    server.calls.map(({ url, headers }) => [url.pathname, headers.accept, headers['content-type']]),
  ).toEqual([
    ['/a', 'application/json', 'application/json'],
    ['/a', 'application/vnd.api+json', 'application/vnd.api+json'],
  ]);
  expect(paced).toBe(2);
});
