import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Secret } from '@email-events/core';
import { Webhook } from 'standardwebhooks';
import { afterEach, expect, test } from 'vitest';
import { stateOf, suppressionOf } from '../testing/values.ts';
import { createHttpAdapter, webhookId } from './http.ts';

// Behaviour of this adapter only; test/contracts/crm proves what all adapters have in common.
const SECRETS = [1, 2].map((fill) => `whsec_${Buffer.alloc(24, fill).toString('base64')}`);
const { signal } = new AbortController();

interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly port: number;
}

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function endpoint(answer: (response: ServerResponse, count: number) => void) {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = '', url = '', headers, socket } = request;
    received.push({
      method,
      path: url,
      headers,
      body: Buffer.concat(chunks).toString(),
      port: socket.remotePort ?? 0,
    });
    answer(response, received.length);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const adapter = createHttpAdapter({
    url: `http://127.0.0.1:${port}/hook?tenant=7`,
    secrets: SECRETS.map((secret) => new Secret(secret)),
    timeoutMs: 5_000,
    concurrency: 2,
    now: Date.now,
  });
  cleanups.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  cleanups.push(() => adapter.close());
  return { adapter, received };
}

const ok = (response: ServerResponse) => response.writeHead(204).end();

test('posts the whole state, signed by each secret', async () => {
  const { adapter, received } = await endpoint(ok);
  const state = stateOf({ recipient: 'zoë@example.com' });
  expect(await adapter.put(state, signal)).toBe('written');

  const [call] = received as [Received];
  expect(call).toMatchObject({ method: 'POST', path: '/hook?tenant=7' });
  expect(call.headers['content-type']).toBe('application/json');
  expect(JSON.parse(call.body)).toEqual({ ...state.suppression, recorded_at: state.recordedAt });
  const headers = call.headers as Record<string, string>;
  for (const secret of SECRETS) expect(() => new Webhook(secret).verify(call.body, headers)).not.toThrow();
  const stranger = new Webhook(`whsec_${Buffer.alloc(24, 9).toString('base64')}`);
  expect(() => stranger.verify(call.body, headers)).toThrow();
  expect(headers['webhook-signature']?.split(' ')).toHaveLength(2);
});

test('the id stays with a state, differs between states and says nothing about the recipient', () => {
  const id = (fields = {}) => webhookId({ suppression: suppressionOf(fields), recordedAt: 1 });
  expect(webhookId({ suppression: suppressionOf(), recordedAt: 2 })).toBe(id());
  expect(id()).toMatch(/^state_[A-Za-z0-9_-]{32}$/);
  const all = [
    id(),
    id({ event_id: 'event-2' }),
    id({ changed_at: 1_001 }),
    id({ recipient: 'b@example.com' }),
    id({ revision: 7 }),
    id({ revision: 8 }),
  ];
  expect(new Set(all).size).toBe(6);
});

test('keeps its connections', async () => {
  const { adapter, received } = await endpoint(ok);
  for (let i = 0; i < 10; i++) await adapter.put(stateOf(), signal);
  expect(received).toHaveLength(10);
  // It may spread calls over the two connections it was given.
  expect(new Set(received.map(({ port }) => port)).size).toBeLessThanOrEqual(2);
});

test('an endless answer is cut', async () => {
  const { adapter } = await endpoint((response) => {
    response.writeHead(200);
    const more = () => {
      while (response.write(Buffer.alloc(65_536)));
      if (!response.destroyed) response.once('drain', more);
    };
    response.on('error', () => {});
    more();
  });
  await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({ code: 'SINK_CRM_UNAVAILABLE' });
});

test.each([200, 204, 401, 403, 404, 405, 500, 501])(
  'check: %d means that the receiver is there',
  async (status) => {
    const { adapter, received } = await endpoint((response) => response.writeHead(status).end());
    await adapter.check(signal);
    expect(received).toMatchObject([{ method: 'HEAD', body: '' }]);
  },
);

test.each([502, 503, 504])('check: %d means that the receiver is not there', async (status) => {
  const { adapter } = await endpoint((response) => response.writeHead(status).end());
  await expect(adapter.check(signal)).rejects.toMatchObject({ code: 'SINK_CRM_UNAVAILABLE' });
});
