import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { WholeRequest } from './whole-request.ts';

async function serving(listener: RequestListener<typeof WholeRequest>) {
  const server = createServer({ IncomingMessage: WholeRequest }, listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  onTestFinished(() => {
    socket.destroy();
  });
  await once(socket, 'connect');
  return socket;
}

const head = (length: number, more = '') =>
  `POST / HTTP/1.1\r\nhost: x\r\n${more}content-length: ${length}\r\n\r\n`;

test('one request after the other on a connection, each body in pieces, goes to its sink', async () => {
  const seen: string[] = [];
  const socket = await serving((request, response) => {
    request.giveTo({
      data: (piece) => seen.push(piece.toString()),
      end: () => {
        seen.push('whole');
        response.end();
      },
    });
    request.on('end', () => seen.push('end'));
  });
  socket.write(`${head(4)}ab`);
  await expect.poll(() => seen).toEqual(['ab']);
  socket.write('cd');
  await expect.poll(() => seen).toEqual(['ab', 'cd', 'whole', 'end']);
  socket.write(`${head(0)}${head(2, 'connection: close\r\n')}ef`);
  const answers = await text(socket);
  expect(seen.slice(4)).toEqual(['whole', 'end', 'ef', 'whole', 'end']);
  expect(answers.split('HTTP/1.1 200 OK')).toHaveLength(4);
});

test('a body that is cut off: its request is closed, and never whole', async () => {
  const seen: string[] = [];
  const socket = await serving((request) => {
    request.giveTo({ data: (piece) => seen.push(piece.toString()), end: () => seen.push('whole') });
    request.on('error', () => seen.push('error'));
    request.on('close', () => seen.push('close'));
  });
  socket.write(`${head(4)}ab`);
  await expect.poll(() => seen).toEqual(['ab']);
  socket.destroy();
  await expect.poll(() => seen).toEqual(['ab', 'error', 'close']);
});

test('without a sink it is a stream', async () => {
  const socket = await serving(async (request, response) => response.end(await text(request)));
  socket.write(`${head(4, 'connection: close\r\n')}abcd`);
  expect(await text(socket)).toMatch(/\r\n\r\nabcd$|abcd/);
});
