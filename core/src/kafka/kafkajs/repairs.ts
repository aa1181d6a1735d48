import { createRequire } from 'node:module';

/** The part of kafkajs's cluster that is needed here. */
interface Cluster {
  metadata(options?: { topics?: readonly string[] }): Promise<object | null>;
}

// Repairs of kafkajs 2.2.4, for all that uses it: made when it is imported, before anything is created of it.
const require = createRequire(import.meta.url);
const { prototype: cluster } = require('kafkajs/src/cluster/index.js') as { prototype: Cluster };
const { KafkaJSNoBrokerAvailableError } = require('kafkajs/src/errors.js') as {
  KafkaJSNoBrokerAvailableError: new () => Error;
};
const askMetadata = cluster.metadata;
if (typeof askMetadata !== 'function') throw new Error('kafkajs has no metadata of a cluster');

/**
 * Where no broker gave an answer that can be used, because it was killed meanwhile, kafkajs 2.2.4 answers null, and its callers
 * (listTopics, describeCluster, fetchTopicMetadata) fail with a TypeError. It is an outage and must look like one:
 * a service that starts just then waits for the broker, and does not end for a TypeError.
 */
cluster.metadata = async function (this: Cluster, options) {
  const answer = await askMetadata.call(this, options);
  if (answer === null || answer === undefined) throw new KafkaJSNoBrokerAvailableError();
  return answer;
};

/** The part of kafkajs's connection that is needed here. */
interface Connection {
  chunks: Buffer[];
  bytesBuffered: number;
  bytesNeeded: number;
  readonly socket?: import('node:net').Socket;
  connectionStatus: string;
  authenticatedAt: unknown;
  readonly requestQueue: { destroy(): void };
  isConnected(): boolean;
  connect(): Promise<unknown>;
  authenticate(): Promise<void>;
  rejectRequests(error: unknown): void;
}

const SIZE_BYTES = 4;

const { prototype: connection } = require('kafkajs/src/network/connection.js') as { prototype: Connection };
const connect = connection.connect;
if (typeof connect !== 'function') throw new Error('kafkajs has no connection to mend');

const connecting = new WeakMap<Connection, Promise<unknown>>();

/**
 * A connection that is made anew begins anew. kafkajs 2.2.4 keeps what it had of a response when the broker closed in the middle of
 * it, and listens on to the socket before: from then on it reads sizes out of the middle of answers, every request times out, and
 * the connection counts as connected. Asked twice at a time it also opens two sockets whose answers mix.
 */
connection.connect = function (this: Connection): Promise<unknown> {
  const under = connecting.get(this);
  if (under) return under;
  if (this.isConnected()) return Promise.resolve(true);
  silence(this.socket);
  this.chunks = [];
  this.bytesBuffered = 0;
  this.bytesNeeded = SIZE_BYTES;
  const made = connect.call(this).finally(() => connecting.delete(this));
  connecting.set(this, made);
  return made;
};

const { authenticate } = connection;
if (typeof authenticate !== 'function') throw new Error('kafkajs has no authentication to mend');

/**
 * A connection over which its client could not prove who it is is not used again. kafkajs 2.2.4 begins anew on it, and the broker's
 * answer to that, ILLEGAL_SASL_STATE, hides what was wrong. It also takes a broker that goes away meanwhile for one that refuses: only
 * what is said while the connection stands is a refusal, which no waiting changes.
 */
connection.authenticate = async function (this: Connection) {
  try {
    await authenticate.call(this);
  } catch (reason) {
    const isRefusal = this.connectionStatus === 'connected';
    const error =
      reason instanceof KafkaJSSASLAuthenticationError && !isRefusal
        ? new KafkaJSConnectionError('the broker went away before it knew its client')
        : reason;
    silence(this.socket);
    this.connectionStatus = 'disconnected';
    this.authenticatedAt = null;
    this.requestQueue.destroy();
    this.rejectRequests(error);
    throw error;
  }
};

// By its class alone, which is no code that an operator could look up, kafkajs tells of credentials that a broker refuses.
const { KafkaJSSASLAuthenticationError, KafkaJSConnectionError } = require('kafkajs/src/errors.js') as {
  KafkaJSSASLAuthenticationError: (new () => Error) & { prototype: { type?: string } };
  KafkaJSConnectionError: new (message: string) => Error;
};
KafkaJSSASLAuthenticationError.prototype.type = 'SASL_AUTHENTICATION_FAILED';

function silence(socket: Connection['socket']): void {
  if (!socket) return;
  for (const event of ['data', 'end', 'timeout', 'error']) socket.removeAllListeners(event);
  socket.on('error', () => {});
  socket.destroy();
}

/** The part of kafkajs's queue of a connection's requests that is needed here. */
interface RequestQueue {
  readonly pending: readonly object[];
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  scheduleCheckPendingRequests(): void;
}

const { prototype: requestQueue } = require('kafkajs/src/network/requestQueue/index.js') as {
  prototype: RequestQueue;
};
const schedule = requestQueue.scheduleCheckPendingRequests;
if (typeof schedule !== 'function') throw new Error('kafkajs has no queue to mend');

/**
 * Where no request waits there is none to look for. From the first answer on kafkajs 2.2.4 looks again every millisecond, on every
 * connection and for ever (its issue 1704): 5 % of a core for each idle service here.
 */
requestQueue.scheduleCheckPendingRequests = function (this: RequestQueue) {
  if (this.pending.length > 0) schedule.call(this);
};
