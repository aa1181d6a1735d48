import { createRequire } from 'node:module';
import './repairs.ts';

export { AssignerProtocol, Kafka, logLevel } from 'kafkajs';

// The one door to kafkajs: it is repaired before it is used. Below, the parts of it that lie under its producer and consumer:
// connections, security and the protocol's requests. They are no public interface of it, so they are taken out here alone, and of the
// one version that was read.
const VERSION = '2.2.4';
const require = createRequire(import.meta.url);
const { version } = require('kafkajs/package.json') as { version: string };
if (version !== VERSION) throw new Error(`kafkajs is ${version}; what is used of it was read in ${VERSION}`);

/** One request in one version, and how its answer is read. */
export interface Exchange<A> {
  readonly request: object;
  readonly response: { decode(raw: Buffer): Promise<A>; parse(answer: A): Promise<A> };
  readonly requestTimeout?: number | null;
  /** The whole request with its length in front, of one that kafkajs does not encode. */
  readonly frame?: MakeFrame;
}

type MakeFrame = (head: {
  apiKey: number;
  apiVersion: number;
  correlationId: number;
  clientId: string;
}) => Buffer;

/** All versions of one request. */
export interface Api<Q, A> {
  readonly versions: readonly string[];
  readonly protocol: (of: { version: number }) => (args: Q) => Exchange<A>;
}

interface Answered {
  readonly payload: Buffer;
}

interface Connection {
  connectionStatus: string;
  readonly clientId: string;
  readonly socket?: { destroy(): void; write(bytes: Buffer): void };
  readonly requestQueue: {
    destroy(): void;
    push(request: object): void;
    maybeThrottle(ms: number | undefined): void;
  };
  rejectRequests(error: Error): void;
  isAuthenticated(): boolean;
  authenticate(): Promise<void>;
  failIfNotConnected(): void;
  nextCorrelationId(): number;
}

interface ConnectionPool {
  readonly pool: readonly Connection[];
  getConnection(): Promise<Connection>;
  send<A>(exchange: Exchange<A>): Promise<A>;
}

export interface Broker {
  readonly connectionPool: ConnectionPool;
  isConnected(): boolean;
  connect(): Promise<void>;
  lookupRequest<Q, A>(apiKey: number, api: Api<Q, A>): (args: Q) => Exchange<A>;
}

interface ConnectionSettings {
  readonly host: string;
  readonly port: number;
  readonly clientId: string;
  readonly connectionTimeout: number;
  readonly requestTimeout: number;
  readonly ssl?: object | boolean;
  readonly sasl?: object;
}

export interface KafkajsLogger {
  namespace(name: string): KafkajsLogger;
}

export const { createLogger } = require('kafkajs/src/loggers/index.js') as {
  createLogger(options: { level: number; logCreator: () => (entry: LogEntry) => void }): KafkajsLogger;
};

interface LogEntry {
  readonly namespace: string;
  readonly log: { readonly message: string };
}

const BrokerClass = require('kafkajs/src/broker/index.js') as new (options: object) => Broker;
const ConnectionPoolClass = require('kafkajs/src/network/connectionPool.js') as new (
  options: object,
) => ConnectionPool;
const socketFactory = (require('kafkajs/src/network/socketFactory.js') as () => object)();

/** Not connected yet. */
export function newBroker(settings: ConnectionSettings, logger: KafkajsLogger): Broker {
  const connectionPool = new ConnectionPoolClass({
    ...settings,
    socketFactory,
    enforceRequestTimeout: true,
    logger,
  });
  return new BrokerClass({ connectionPool, logger, allowAutoTopicCreation: false });
}

/** As kafkajs sends a request, without the two copies it makes of it and the 512 zeroed bytes it begins each with. */
export async function sendFrame<A>(
  { connectionPool }: Broker,
  { request, response }: Exchange<A>,
  makeFrame: MakeFrame,
): Promise<A> {
  const connection = await connectionPool.getConnection();
  if (!connection.isAuthenticated()) await connection.authenticate();
  connection.failIfNotConnected();
  const { apiKey, apiVersion } = request as { apiKey: number; apiVersion: number };
  const { clientId, requestQueue } = connection;
  const correlationId = connection.nextCorrelationId();
  const frame = makeFrame({ apiKey, apiVersion, correlationId, clientId });
  const { payload } = await new Promise<Answered>((resolve, reject) => {
    requestQueue.push({
      entry: { ...request, correlationId, resolve, reject },
      expectResponse: true,
      requestTimeout: null,
      sendRequest: () => connection.socket?.write(frame),
    });
  });
  const answer = await response.decode(payload);
  // For as long as the broker asks for (KIP-219).
  requestQueue.maybeThrottle((answer as { clientSideThrottleTime?: number }).clientSideThrottleTime);
  return answer;
}

export const apiKeys = require('kafkajs/src/protocol/requests/apiKeys.js') as {
  readonly [name: string]: number;
};

const { requests } = require('kafkajs/src/protocol/requests/index.js') as {
  requests: { readonly [name: string]: Api<object, object> };
};

export function apiOf<Q, A>(name: string): { readonly key: number; readonly api: Api<Q, A> } {
  const [key, api] = [apiKeys[name], requests[name]];
  if (key === undefined || api === undefined) throw new Error(`kafkajs has no request ${name}`);
  return { key, api: api as unknown as Api<Q, A> };
}

/** An answer of a broker that is an error: `type` is the protocol's name of it. */
export interface ProtocolError extends Error {
  readonly type: string;
  readonly code: number;
  readonly retriable: boolean;
}

export const { createErrorFromCode } = require('kafkajs/src/protocol/error.js') as {
  createErrorFromCode(code: number): ProtocolError;
};

type ErrorClass = new (message: string, details?: object) => Error;
export const { KafkaJSConnectionError, KafkaJSRequestTimeoutError, KafkaJSNoBrokerAvailableError } =
  require('kafkajs/src/errors.js') as {
    KafkaJSConnectionError: ErrorClass;
    KafkaJSRequestTimeoutError: ErrorClass;
    KafkaJSNoBrokerAvailableError: new () => Error;
  };

export const { lookupCodecByAttributes } = require('kafkajs/src/protocol/message/compression/index.js') as {
  /** Null or undefined for what is not compressed. Throws for a codec that kafkajs does not have. */
  lookupCodecByAttributes(
    attributes: number,
  ): { decompress(bytes: Buffer): Promise<Buffer> } | null | undefined;
};

/** CRC-32C; see crc32c.ts for the one that is used. */
export const crc32cInJavaScript = require('kafkajs/src/protocol/recordBatch/crc32C/index.js') as (
  bytes: Buffer,
) => number;
