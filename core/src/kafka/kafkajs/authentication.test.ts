import { createRequire } from 'node:module';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import './kafkajs.ts';

interface Connection {
  isConnected(): boolean;
  connect(): Promise<unknown>;
  authenticate(): Promise<void>;
  setVersions(versions: object): void;
  setSupportAuthenticationProtocol(isSupported: boolean): void;
}

const require = createRequire(import.meta.url);
const ConnectionClass = require('kafkajs/src/network/connection.js') as new (of: object) => Connection;
const socketFactory = (require('kafkajs/src/network/socketFactory.js') as () => object)();
const quiet = () => {};
const logger = { namespace: () => logger, debug: quiet, info: quiet, warn: quiet, error: quiet };

const HANDSHAKE = 17;
const AUTHENTICATE = 36;
const SASL_AUTHENTICATION_FAILED = 58;

const text = (value: string) => {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(2);
  length.writeInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
};
const int16 = (value: number) => {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
};
const int32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};

/** A broker that takes PLAIN, and does this when it is told the password. */
async function connectTo(whenTold: (socket: Socket, answer: (bytes: Buffer) => void) => void) {
  const server = createServer((socket) => {
    socket.on('error', quiet);
    socket.on('data', (request) => {
      const answer = (bytes: Buffer) => {
        const body = Buffer.concat([request.subarray(8, 12), bytes]);
        socket.write(Buffer.concat([int32(body.length), body]));
      };
      if (request.readInt16BE(4) === HANDSHAKE) answer(Buffer.concat([int16(0), int32(1), text('PLAIN')]));
      else whenTold(socket, answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const connection = new ConnectionClass({
    ...{ host: '127.0.0.1', port: (server.address() as AddressInfo).port, logger, socketFactory },
    ...{ connectionTimeout: 1_000, requestTimeout: 5_000, enforceRequestTimeout: true },
    sasl: { mechanism: 'plain', username: 'events', password: 'secret' },
  });
  const version = { minVersion: 0, maxVersion: 0 };
  connection.setVersions({ [HANDSHAKE]: { minVersion: 1, maxVersion: 1 }, [AUTHENTICATE]: version });
  connection.setSupportAuthenticationProtocol(true);
  await connection.connect();
  return connection;
}

test('credentials that a broker refuses are told as such, and the connection is not used again', async () => {
  const connection = await connectTo((_socket, answer) =>
    answer(Buffer.concat([int16(SASL_AUTHENTICATION_FAILED), text('no'), int32(0)])),
  );
  await expect(connection.authenticate()).rejects.toMatchObject({
    type: 'SASL_AUTHENTICATION_FAILED',
    retriable: false,
  });
  expect(connection.isConnected()).toBe(false);
});

test('a broker that goes away meanwhile has refused nothing', async () => {
  const connection = await connectTo((socket) => socket.destroy());
  await expect(connection.authenticate()).rejects.toMatchObject({
    name: 'KafkaJSConnectionError',
    retriable: true,
  });
  expect(connection.isConnected()).toBe(false);
});
