import { createServer, Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { Answers } from './answers.ts';
import { sendOpenLoop } from './client.ts';
import { readRequests, wireBytes, writeRequests } from './requests-file.ts';
import { Schedule } from './schedule.ts';

const servers: TcpServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    if (server instanceof Server) server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  }
});

async function listening(server: TcpServer): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const requestOf = (n: number) =>
  wireBytes({
    ...{ method: 'POST', url: `/hooks?n=${n}`, receivedAt: 0 },
    headers: { 'content-type': 'text/plain', 'x-left-out': undefined },
    body: Buffer.from(`body ${n}`),
  });

test('a request is due by its number alone, and is taken once', () => {
  const schedule = new Schedule(200, 0.02);
  expect(schedule.total).toBe(4);
  expect([schedule.take(0), schedule.take(0)]).toEqual([0, undefined]);
  // Nobody looked for a long time: all of them are due, each from its own time.
  expect([1, 2, 3, 4].map(() => schedule.take(1_000))).toEqual([1, 2, 3, undefined]);
  expect([schedule.dueAt(3), schedule.isOver]).toEqual([15, true]);
});

test('answers are read however they are cut', () => {
  const bytes = Buffer.from(
    'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyesHTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\nHTTP/1.1 204 None\r\n\r\n',
  );
  for (const size of [1, 2, 7, 50, 1_000]) {
    const found: number[] = [];
    const answers = new Answers((status) => found.push(status));
    for (let at = 0; at < bytes.length; at += size) answers.take(bytes.subarray(at, at + size));
    expect(found).toEqual([200, 503, 204]);
  }
  const strict = () => new Answers(() => undefined);
  expect(() => strict().take(Buffer.from('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n'))).toThrow(
    'length',
  );
  expect(() => strict().take(Buffer.from('SSH-2.0\r\n\r\n'))).toThrow('no answer of HTTP/1.1');
});

test('requests are kept in a file as they are', () => {
  const requests = [requestOf(1), requestOf(22)];
  expect(readRequests(writeRequests(requests))).toEqual(requests);
  expect(requests[0]?.toString()).toBe(
    'POST /hooks?n=1 HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: text/plain\r\ncontent-length: 6\r\n\r\nbody 1',
  );
  expect(() => readRequests(writeRequests(requests).subarray(0, -1))).toThrow('does not end');
});

test('what a server that stands still keeps waiting is counted from when it was due', async () => {
  const bodies: string[] = [];
  // Nothing is answered for 300 ms: two connections have a request each, and all the others wait.
  const stand = Promise.withResolvers<void>();
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (bodies.length === 0) setTimeout(stand.resolve, 300);
    bodies.push(Buffer.concat(chunks).toString());
    await stand.promise;
    response.writeHead(200, { 'content-length': '0' }).end();
  });
  const port = await listening(server);
  const requests = [0, 1, 2].map(requestOf);
  const result = await sendOpenLoop({ port, requests, perSecond: 100, seconds: 0.2, connections: 2 });
  expect(result).toMatchObject({ asked: 20, statuses: { 200: 20 } });
  expect(result.mostWaiting).toBeGreaterThanOrEqual(18);
  // The last was due at 190 ms; nothing was answered before 300 (a timer may be early by a millisecond).
  expect(Math.min(...result.latenciesMs)).toBeGreaterThan(105);
  expect(Math.max(...result.latenciesMs)).toBeGreaterThan(295);
  const all = Array.from({ length: 20 }, (_, n) => `body ${n % 3}`);
  expect(bodies.sort()).toEqual(all.sort());
});

test('refusals, and connections that end, are told', async () => {
  let count = 0;
  const server = createServer((request, response) => {
    request.resume();
    count++;
    if (count === 2) request.socket.destroy();
    else response.writeHead(count === 3 ? 503 : 200, { 'content-length': '0' }).end();
  });
  const port = await listening(server);
  const load = { port, requests: [requestOf(1)], perSecond: 200, seconds: 0.05, connections: 4 };
  const { asked, statuses, latenciesMs } = await sendOpenLoop(load);
  expect([asked, statuses]).toEqual([10, { 0: 1, 200: 8, 503: 1 }]);
  expect(latenciesMs).toHaveLength(9);
});

test('a connection that the server ends while it is idle costs no request', async () => {
  // Each is ended after its first answer, with a word of farewell that answers nothing.
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', () => {
      socket.end(
        'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 408 Timeout\r\ncontent-length: 0\r\n\r\n',
      );
    });
  });
  const port = await listening(server);
  const load = { port, requests: [requestOf(1)], perSecond: 4, seconds: 0.75, connections: 3 };
  expect(await sendOpenLoop(load)).toMatchObject({ asked: 3, statuses: { 200: 3 } });
});

test('a server that is not there is an error', async () => {
  const server = createTcpServer();
  const port = await listening(server);
  await new Promise((closed) => server.close(closed));
  const load = { port, requests: [requestOf(1)], perSecond: 100, seconds: 0.1, connections: 2 };
  await expect(sendOpenLoop(load)).rejects.toThrow(`no connection to port ${port}`);
});
