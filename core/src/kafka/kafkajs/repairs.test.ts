import { createRequire } from 'node:module';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { plainKafkajs } from '../../../../test/cluster/kafkajs/plain-kafkajs.ts';
import './kafkajs.ts';

interface Connection {
  readonly requestQueue: { throttleCheckTimeoutId: unknown };
  isConnected(): boolean;
  connect(): Promise<unknown>;
  disconnect(): Promise<unknown>;
  send(request: object): Promise<number>;
}
type Load = <T>(path: string) => T;

const ANSWER_BYTES = 1_000;
const REQUEST_TIMEOUT_MS = 300;

/** A broker that closes its first connection after so many bytes of the first answer; without `after`, never. */
async function startBroker(after?: number) {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    const first = ++connections === 1;
    let bytes = Buffer.alloc(0);
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
        const answer = Buffer.alloc(8 + ANSWER_BYTES, 7);
        answer.writeInt32BE(4 + ANSWER_BYTES, 0);
        answer.writeInt32BE(bytes.readInt32BE(8), 4);
        bytes = bytes.subarray(4 + bytes.readInt32BE(0));
        if (first && after !== undefined) socket.end(answer.subarray(0, after));
        else socket.write(answer);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { port: (server.address() as AddressInfo).port, connections: () => connections };
}

function connectTo(
  port: number,
  load: Load,
  throttleMs = 0,
): { connection: Connection; ask: () => Promise<number> } {
  const ConnectionClass = load<new (of: object) => Connection>('kafkajs/src/network/connection.js');
  const socketFactory = load<() => object>('kafkajs/src/network/socketFactory.js')();
  const Encoder = load<new () => object>('kafkajs/src/protocol/encoder.js');
  const quiet = () => {};
  const logger = { namespace: () => logger, debug: quiet, info: quiet, warn: quiet, error: quiet };
  const of = { host: '127.0.0.1', port, logger, socketFactory, connectionTimeout: 1_000 };
  const connection = new ConnectionClass({
    ...of,
    requestTimeout: REQUEST_TIMEOUT_MS,
    enforceRequestTimeout: true,
  });
  onTestFinished(async () => void (await connection.disconnect()));
  const request = { apiKey: 18, apiVersion: 0, apiName: 'ApiVersions', encode: async () => new Encoder() };
  const response = {
    decode: async (payload: Buffer) => ({ payload, clientSideThrottleTime: throttleMs }),
    parse: async ({ payload }: { payload: Buffer }) => payload.length,
  };
  return {
    connection,
    ask: async () => {
      if (!connection.isConnected()) await connection.connect();
      return connection.send({ request, response });
    },
  };
}

const mended: Load = createRequire(import.meta.url);
const plain: Load = plainKafkajs().require;

test.each([1, 4, 7, 8, 500, 1_007])(
  'a broker that closes after %i bytes of an answer: the connection works when it is made anew',
  async (after) => {
    const { port } = await startBroker(after);
    const { ask } = connectTo(port, mended);
    await expect(ask()).rejects.toThrow();
    for (let i = 0; i < 3; i++) expect(await ask()).toBe(ANSWER_BYTES);
  },
);

test('kafkajs as it is published is out of step from then on, and says that it is connected', async () => {
  const { port } = await startBroker(500);
  const { connection, ask } = connectTo(port, plain);
  await expect(ask()).rejects.toThrow();
  for (let i = 0; i < 2; i++) {
    await expect(ask()).rejects.toThrow('timed out');
    expect(connection.isConnected()).toBe(true);
  }
});

test('asked twice at a time it connects once', async () => {
  const { port, connections } = await startBroker(0);
  const { connection } = connectTo(port, mended);
  await Promise.all([connection.connect(), connection.connect()]);
  expect(connections()).toBe(1);
});

test('where no request waits, none is looked for', async () => {
  const { port } = await startBroker();
  const { connection, ask } = connectTo(port, mended);
  expect(await ask()).toBe(ANSWER_BYTES);
  expect(connection.requestQueue.throttleCheckTimeoutId).toBeNull();
});

test('kafkajs as it is published looks for one for ever', async () => {
  const { port } = await startBroker();
  const { connection, ask } = connectTo(port, plain);
  await ask();
  expect(connection.requestQueue.throttleCheckTimeoutId).not.toBeNull();
});

test('a request that waits because the broker asked for a pause is sent after it', async () => {
  const { port } = await startBroker();
  const { connection, ask } = connectTo(port, mended, 200);
  expect(await ask()).toBe(ANSWER_BYTES);
  const began = performance.now();
  expect(await ask()).toBe(ANSWER_BYTES);
  expect(performance.now() - began).toBeGreaterThan(150);
  expect(connection.requestQueue.throttleCheckTimeoutId).toBeNull();
});
