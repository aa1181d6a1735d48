import { connect, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { fakeAdapter } from './testing/fake-adapter.ts';
import { type Harness, type HarnessOptions, rawOf, sendRaw, startHarness } from './testing/harness.ts';

const HEAD = 'POST /webhooks/email-events/shop HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';

async function harness(ingress: object = {}, options: Partial<HarnessOptions> = {}): Promise<Harness> {
  const started = await startHarness({
    adapters: [fakeAdapter('fake')],
    sources: { shop: { esp: 'fake', secrets: ['s3cret'] } },
    ingress,
    ...options,
  });
  onTestFinished(() => started.close());
  return started;
}

/** One line in the log with this code, and the process still serves. */
async function expectOneLine(ingress: Harness, code: string, status: number, answer?: string): Promise<void> {
  await expect.poll(() => ingress.logs.length).toBe(1);
  expect(ingress.logs[0]).toMatchObject({ code, status });
  if (answer !== undefined) expect(answer).toContain(`x-request-id: ${ingress.logs[0]?.requestId}`);
  expect(ingress.published).toHaveLength(0);
  expect(ingress.context.budget.used).toBe(0);
  const next = await sendRaw(ingress.port, [`${HEAD}connection: close\r\ncontent-length: 2\r\n\r\n[]`]);
  expect(next).toMatch(/^HTTP\/1\.1 200 /);
}

test('what is no HTTP', async () => {
  const ingress = await harness();
  const answer = await sendRaw(ingress.port, ['\x16\x03\x01 hello\r\n\r\n']);
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  await expectOneLine(ingress, 'INGRESS_HTTP_MALFORMED', 400, answer);
});

test.each([
  ['two lengths', 'content-length: 2\r\ncontent-length: 3\r\n\r\n[]'],
  ['length and chunks', 'content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['a negative length', 'content-length: -1\r\n\r\n'],
])('%s: nobody may smuggle', async (_, rest) => {
  const ingress = await harness();
  const answer = await sendRaw(ingress.port, [`${HEAD}${rest}`]);
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  await expectOneLine(ingress, 'INGRESS_HTTP_MALFORMED', 400, answer);
});

test('headers that are too large', async () => {
  const ingress = await harness();
  const answer = await sendRaw(ingress.port, [`${HEAD}x-large: ${'x'.repeat(20_000)}\r\n\r\n`]);
  expect(answer).toMatch(/^HTTP\/1\.1 431 /);
  await expectOneLine(ingress, 'INGRESS_HEADERS_TOO_LARGE', 431, answer);
});

test('headers that never end', async () => {
  const ingress = await harness({ headersTimeoutMs: 50 });
  const answer = await sendRaw(ingress.port, ['POST /webhooks/email-events/shop HTTP/1.1\r\nx-slow: ']);
  expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  await expectOneLine(ingress, 'INGRESS_REQUEST_TIMEOUT', 408, answer);
});

test('a body that never ends: one line, and it names the source', async () => {
  const ingress = await harness({ headersTimeoutMs: 50, requestTimeoutMs: 100 });
  const answer = await sendRaw(ingress.port, [`${HEAD}content-length: 100\r\n\r\n`, '[1']);
  expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  expect(ingress.logs).toMatchObject([{ source: 'shop' }]);
  await expectOneLine(ingress, 'INGRESS_REQUEST_TIMEOUT', 408, answer);
});

test('a body that is cut off', async () => {
  const ingress = await harness();
  const socket = await opened(ingress.port);
  socket.write(`${HEAD}content-length: 100\r\n\r\n[1,2`);
  await expect.poll(() => ingress.context.budget.used).toBeGreaterThan(0);
  socket.destroy();
  await expectOneLine(ingress, 'INGRESS_BODY_TRUNCATED', 0);
});

test('beyond the limit of connections the one that keeps us waiting longest gives way', async () => {
  const ingress = await harness({ maxConnections: 2 });
  const idle = await opened(ingress.port);
  const gone = new Promise((resolve) => idle.once('close', resolve));
  const slow = await opened(ingress.port);
  slow.write(`${HEAD}content-length: 100\r\n\r\n[1`);
  await expect.poll(() => ingress.context.budget.used).toBeGreaterThan(0);
  const request = `${HEAD}connection: close\r\ncontent-length: 2\r\n\r\n[]`;
  expect(await sendRaw(ingress.port, [request])).toMatch(/^HTTP\/1\.1 200 /);
  await gone;
  const places = [await opened(ingress.port), await opened(ingress.port)];
  await expect.poll(() => ingress.logs.length).toBe(1);
  expect(ingress.logs).toMatchObject([{ code: 'INGRESS_CONNECTION_EVICTED', status: 0, source: 'shop' }]);
  expect(await ingress.registry.metrics()).toContain(
    'source="-",status="0",code="INGRESS_CONNECTION_EVICTED"} 1',
  );
  expect(ingress.context.budget.used).toBe(0);
  for (const socket of [...places, slow]) socket.destroy();
  await expect.poll(() => ingress.server.connections()).toBe(0);
});

test('a slow body gives way when bytes run out, the one that needs them is served', async () => {
  const ingress = await harness({ maxInFlightBytes: 20_000 });
  const slow = sendRaw(ingress.port, [`${HEAD}content-length: 16000\r\n\r\n${'1'.repeat(15_000)}`]);
  await expect.poll(() => ingress.context.budget.used).toBeGreaterThan(15_000);
  const body = `[${'1'.repeat(15_000)}]`;
  const whole = `${HEAD}connection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  expect(await sendRaw(ingress.port, [whole])).toMatch(/^HTTP\/1\.1 200 /);
  expect(await slow).toMatch(/^HTTP\/1\.1 503 .*connection: close/is);
  expect(ingress.logs).toMatchObject([{ code: 'INGRESS_OVERLOADED', status: 503 }]);
  expect(ingress.context.budget.used).toBe(0);
});

test('a request that waits for Kafka never gives way', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const publish = () => promise.then(() => ({ partition: 0, offset: 0 }));
  const ingress = await harness({ maxInFlightBytes: 20_000 }, { publish });
  const body = `[${'1'.repeat(15_000)}]`;
  const whole = `${HEAD}connection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  const first = sendRaw(ingress.port, [whole]);
  await expect.poll(() => ingress.context.budget.used).toBeGreaterThan(15_000);
  expect(await sendRaw(ingress.port, [whole])).toMatch(/^HTTP\/1\.1 503 /);
  resolve();
  expect(await first).toMatch(/^HTTP\/1\.1 200 /);
});

test.each([100, 101, 150, 1_000])('%i header lines: none is overlooked', async (lines) => {
  const ingress = await harness();
  const more = Array.from({ length: lines - 5 }, (_, i) => `x${i}: 1\r\n`).join('');
  const request = `${HEAD}${more}x-kept: yes\r\nconnection: close\r\ncontent-length: 2\r\n\r\n[]`;
  const answer = await sendRaw(ingress.port, [request]);
  if (lines > 100) return expect(answer).toMatch(/^HTTP\/1\.1 431 /);
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  expect(rawOf(ingress.published[0]).headers).toEqual({ 'x-kept': 'yes' });
});

test('a transfer encoding other than chunked', async () => {
  const ingress = await harness();
  const head = `${HEAD}transfer-encoding: gzip, chunked\r\n\r\n`;
  expect(await sendRaw(ingress.port, [`${head}0\r\n\r\n`])).toMatch(/^HTTP\/1\.1 415 /);
  expect(ingress.logs).toMatchObject([{ code: 'INGRESS_ENCODING_UNSUPPORTED' }]);
});

test('expectations are ignored, the request is answered like any other', async () => {
  const ingress = await harness();
  const request = `${HEAD}connection: close\r\nexpect: a miracle\r\ncontent-length: 2\r\n\r\n[]`;
  expect(await sendRaw(ingress.port, [request])).toMatch(/^HTTP\/1\.1 200 /);
});

test('requests in one write are dealt with one after the other and answered in order', async () => {
  let most = 0;
  const ingress: Harness = await harness(
    {},
    {
      publish: async () => {
        most = Math.max(most, ingress.context.budget.used);
        return { partition: 0, offset: 0 };
      },
    },
  );
  const count = 1_000;
  const request = (id: number) => `${HEAD}x-kept: ${id}\r\ncontent-length: 2\r\n\r\n[]`;
  const all = Array.from({ length: count }, (_, id) => request(id)).join('');
  const answers = await sendRaw(ingress.port, [all], (text) => text.split('200 OK').length > count);
  const ids = [...answers.matchAll(/x-request-id: (\S+)/g)].map(([, id]) => id);
  const kept = new Map(ingress.published.map(rawOf).map(({ requestId, headers }) => [requestId, headers]));
  expect(ids.map((id) => Number(kept.get(String(id))?.['x-kept']))).toEqual(ids.map((_, i) => i));
  expect(ids).toHaveLength(count);
  // One connection holds at most two requests: one, and the next while that one is answered.
  expect(most).toBeLessThan(2 * 2_100);
});

test('a body in many small pieces costs what it is long', async () => {
  const ingress = await harness();
  const body = JSON.stringify(Array.from({ length: 5_000 }, (_, i) => i));
  const pieces = [...body].map((byte) => `1\r\n${byte}\r\n`).join('');
  const head = `${HEAD}connection: close\r\ntransfer-encoding: chunked\r\n\r\n`;
  const open = connect(ingress.port, '127.0.0.1');
  open.write(`${head}${pieces}`);
  await expect.poll(() => ingress.context.budget.used).toBeGreaterThan(body.length);
  expect(ingress.context.budget.used).toBeLessThan(2 * body.length + 20_000);
  open.end('0\r\n\r\n');
  await expect.poll(() => ingress.published.length).toBe(1);
  expect(String(ingress.published[0]?.value)).toBe(body);
});

test('announcing a large body takes nothing from others', async () => {
  const ingress = await harness({ maxInFlightBytes: 10_000 });
  const announcers = await Promise.all(Array.from({ length: 4 }, () => opened(ingress.port)));
  for (const socket of announcers) socket.write(`${HEAD}content-length: 1000000\r\n\r\n`);
  await expect.poll(() => ingress.context.budget.used).toBe(4 * 2_048);
  announcers[0]?.destroy();
  await expect.poll(() => ingress.context.budget.used).toBe(3 * 2_048);
  const request = `${HEAD}connection: close\r\ncontent-length: 2\r\n\r\n[]`;
  expect(await sendRaw(ingress.port, [request])).toMatch(/^HTTP\/1\.1 200 /);
  for (const socket of announcers) socket.destroy();
});

test('a connection is kept between requests, and given up while the service stops', async () => {
  const ingress = await harness();
  const request = `${HEAD}content-length: 2\r\n\r\n[]`;
  const kept = await sendRaw(
    ingress.port,
    [request, request],
    (answer) => answer.split('200 OK').length === 3,
  );
  expect(kept).not.toMatch(/connection: close/i);
  ingress.context.draining = true;
  expect(await sendRaw(ingress.port, [request])).toMatch(/^HTTP\/1\.1 200 .*connection: close/is);
});

test('two servers share a port if they are told to, and one is enough', async () => {
  const first = await harness({ reusePort: true });
  const second = await harness({ reusePort: true, port: first.port });
  const request = `${HEAD}connection: close\r\ncontent-length: 2\r\n\r\n[]`;
  const answers = await Promise.all(Array.from({ length: 40 }, () => sendRaw(first.port, [request])));
  expect(answers.filter((answer) => !answer.startsWith('HTTP/1.1 200 '))).toEqual([]);
  expect(first.published.length).toBeGreaterThan(0);
  expect(second.published.length).toBeGreaterThan(0);
  await first.server.close();
  expect(await sendRaw(second.port, [request])).toMatch(/^HTTP\/1\.1 200 /);
  await expect(harness({ port: second.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

test.runIf(process.platform === 'linux')(
  'senders that come at once are taken several at a time',
  async () => {
    const ingress = await harness();
    const count = 64;
    const sockets = Array.from({ length: count }, () => connect(ingress.port, '127.0.0.1'));
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    let turns = 0;
    for (; ingress.server.connections() < count; turns++) await turn();
    // One socket that listens would take as many turns of the event loop as there are senders.
    expect(turns).toBeLessThan(count / 2);
  },
);

test('a stop waits for the request under way and takes no other', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const ingress = await harness({}, { publish: () => promise.then(() => ({ partition: 0, offset: 0 })) });
  const answer = sendRaw(ingress.port, [`${HEAD}content-length: 2\r\n\r\n[]`]);
  await expect.poll(() => ingress.context.budget.used).toBeGreaterThan(0);
  ingress.context.draining = true;
  let closed = false;
  const closing = ingress.server.close().then(() => {
    closed = true;
  });
  await expect(opened(ingress.port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  expect(closed).toBe(false);
  resolve();
  expect(await answer).toMatch(/^HTTP\/1\.1 200 /);
  await closing;
});

function opened(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));
    socket.on('error', reject);
  });
}
