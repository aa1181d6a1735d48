import { isProtocolError } from '../errors.ts';
import {
  type Api,
  type Broker,
  type Exchange,
  KafkaJSConnectionError,
  KafkaJSRequestTimeoutError,
  type KafkajsLogger,
  newBroker,
  sendFrame,
} from '../kafkajs/kafkajs.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A request that the broker lets wait must not hold up others: joining a group can take a minute. */
export type Purpose = 'main' | 'group';

export interface ConnectionOptions {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly connectionTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly ssl?: object | boolean | undefined;
  readonly sasl?: object | undefined;
  readonly logger: KafkajsLogger;
}

interface OpenConnection {
  readonly broker: Broker;
  readonly address: Address;
  readonly ready: Promise<void>;
  connected: boolean;
}

/** Connections to brokers, made when they are needed and thrown away when anything is wrong with them. */
export class Connections {
  private readonly options: ConnectionOptions;
  private readonly connections = new Map<string, OpenConnection>();
  private closed = false;

  constructor(options: ConnectionOptions) {
    this.options = options;
  }

  isConnected(name: string): boolean {
    return this.connections.get(`${name} main`)?.connected === true;
  }

  /** Rejects with KafkaJSRequestTimeoutError or KafkaJSConnectionError, both of which leave open whether it was done. */
  async request<Q, A>(
    address: Address,
    purpose: Purpose,
    { key, api }: { readonly key: number; readonly api: Api<Q, A> },
    args: Q,
    timeoutMs: number,
  ): Promise<A> {
    const name = `${address.host}:${address.port} ${purpose}`;
    const open = this.connections.get(name) ?? this.connect(name, address);
    try {
      await open.ready;
      const exchange = open.broker.lookupRequest(key, api)(args);
      return await within(send(open.broker, exchange), timeoutMs, name);
    } catch (error) {
      if (!isProtocolError(error)) this.drop(name, open, error as Error);
      throw error;
    }
  }

  /** Those to brokers that are gone, or have moved, are closed. */
  keepOnly(addresses: readonly Address[]): void {
    const names = new Set(addresses.map(({ host, port }) => `${host}:${port}`));
    for (const [name, open] of this.connections) {
      const { host, port } = open.address;
      if (!names.has(`${host}:${port}`))
        this.drop(name, open, new KafkaJSConnectionError('the broker is gone'));
    }
  }

  /** All connections to this broker: it hangs. What it was asked is rejected with this error. */
  giveUp({ host, port }: Address, error: Error): void {
    for (const [name, open] of this.connections)
      if (open.address.host === host && open.address.port === port) this.drop(name, open, error);
  }

  close(): void {
    this.closed = true;
    for (const [name, open] of this.connections) this.drop(name, open, new KafkaJSConnectionError('closed'));
  }

  private connect(name: string, address: Address): OpenConnection {
    if (this.closed) throw new KafkaJSConnectionError('closed');
    const { clientId, connectionTimeoutMs, requestTimeoutMs, ssl, sasl, logger } = this.options;
    const broker = newBroker(
      {
        ...address,
        clientId,
        connectionTimeout: connectionTimeoutMs,
        requestTimeout: requestTimeoutMs,
        ...(ssl ? { ssl } : {}),
        ...(sasl ? { sasl } : {}),
      },
      logger,
    );
    // A frozen broker's machine still accepts; kafkajs would wait for its first answer as long as for any other.
    const ready = within(broker.connect(), 2 * connectionTimeoutMs, name);
    const open: OpenConnection = { broker, address, ready, connected: false };
    open.ready.then(
      () => {
        open.connected = true;
      },
      () => {},
    );
    this.connections.set(name, open);
    return open;
  }

  private drop(name: string, open: OpenConnection, error: Error): void {
    if (this.connections.get(name) === open) this.connections.delete(name);
    open.connected = false;
    for (const connection of open.broker.connectionPool.pool) {
      connection.connectionStatus = 'disconnected';
      connection.requestQueue.destroy();
      connection.rejectRequests(error);
      connection.socket?.destroy();
    }
  }
}

const same = async <A>(answer: A): Promise<A> => answer;

/** The answer as it was decoded, whatever errors are in it. */
function send<A>(broker: Broker, exchange: Exchange<A>): Promise<A> {
  if (exchange.frame) return sendFrame(broker, exchange, exchange.frame);
  const { decode } = exchange.response;
  return broker.connectionPool.send({ ...exchange, response: { decode, parse: same<A> } });
}

function within<T>(answer: Promise<T>, ms: number, name: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new KafkaJSRequestTimeoutError(`${name} did not answer within ${ms} ms`)),
      ms,
    );
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
