import { createRequire } from 'node:module';

/** The part of kafkajs's connection that is needed here. */
interface Connection {
  chunks: Buffer[];
  bytesBuffered: number;
  bytesNeeded: number;
  readonly socket?: import('node:net').Socket;
  isConnected(): boolean;
  connect(): Promise<unknown>;
}

const SIZE_BYTES = 4;

const require = createRequire(import.meta.url);
const { prototype } = require('kafkajs/src/network/connection.js') as { prototype: Connection };
const original = prototype.connect;
if (typeof original !== 'function') throw new Error('kafkajs has no connection to mend');

const connecting = new WeakMap<Connection, Promise<unknown>>();

/**
 * A connection that is made anew begins anew. kafkajs 2.2.4 keeps what it had of a response when the broker closed in the middle of
 * it, and listens on to the socket before: from then on it reads sizes out of the middle of answers, every request times out, and
 * the connection counts as connected. Asked twice at a time it also opens two sockets whose answers mix.
 */
prototype.connect = function (this: Connection): Promise<unknown> {
  const under = connecting.get(this);
  if (under) return under;
  if (this.isConnected()) return Promise.resolve(true);
  silence(this.socket);
  this.chunks = [];
  this.bytesBuffered = 0;
  this.bytesNeeded = SIZE_BYTES;
  const made = original.call(this).finally(() => connecting.delete(this));
  connecting.set(this, made);
  return made;
};

function silence(socket: Connection['socket']): void {
  if (!socket) return;
  for (const event of ['data', 'end', 'timeout', 'error']) socket.removeAllListeners(event);
  socket.on('error', () => {});
  socket.destroy();
}
