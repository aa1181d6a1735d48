import { isProtocolError } from '../errors.ts';
import {
  type Api,
  type Broker,
  KafkaJSConnectionError,
  KafkaJSRequestTimeoutError,
  type KafkajsLogger,
  newBroker,
} from './kafkajs.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What is waited for at the broker must not hold up what is not: joining a group can take a minute. */
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

interface Link {
  readonly broker: Broker;
  readonly address: Address;
  readonly ready: Promise<void>;
  connected: boolean;
}

/** Connections to brokers, made when they are needed and thrown away when anything is wrong with them. */
export class Links {
  private readonly options: ConnectionOptions;
  private readonly links = new Map<string, Link>();
  private closed = false;

  constructor(options: ConnectionOptions) {
    this.options = options;
  }

  isConnected(name: string): boolean {
    return this.links.get(`${name} main`)?.connected === true;
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
    const link = this.links.get(name) ?? this.open(name, address);
    try {
      await link.ready;
      const exchange = link.broker.lookupRequest(key, api)(args);
      const asDecoded = { ...exchange, response: { decode: exchange.response.decode, parse: same<A> } };
      return await within(link.broker.connectionPool.send(asDecoded), timeoutMs, name);
    } catch (error) {
      if (!isProtocolError(error)) this.drop(name, link, error as Error);
      throw error;
    }
  }

  /** Those to brokers that are gone, or have moved, are closed. */
  keepOnly(addresses: readonly Address[]): void {
    const names = new Set(addresses.map(({ host, port }) => `${host}:${port}`));
    for (const [name, link] of this.links) {
      const { host, port } = link.address;
      if (!names.has(`${host}:${port}`))
        this.drop(name, link, new KafkaJSConnectionError('the broker is gone'));
    }
  }

  /** All connections to this broker: it hangs. What it was asked is rejected with this error. */
  giveUp({ host, port }: Address, error: Error): void {
    for (const [name, link] of this.links)
      if (link.address.host === host && link.address.port === port) this.drop(name, link, error);
  }

  close(): void {
    this.closed = true;
    for (const [name, link] of this.links) this.drop(name, link, new KafkaJSConnectionError('closed'));
  }

  private open(name: string, address: Address): Link {
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
    const link: Link = { broker, address, ready, connected: false };
    link.ready.then(
      () => {
        link.connected = true;
      },
      () => {},
    );
    this.links.set(name, link);
    return link;
  }

  private drop(name: string, link: Link, error: Error): void {
    if (this.links.get(name) === link) this.links.delete(name);
    link.connected = false;
    for (const connection of link.broker.connectionPool.pool) {
      connection.connectionStatus = 'disconnected';
      connection.requestQueue.destroy();
      connection.rejectRequests(error);
      connection.socket?.destroy();
    }
  }
}

const same = async <A>(answer: A): Promise<A> => answer;

function within<T>(answer: Promise<T>, ms: number, name: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new KafkaJSRequestTimeoutError(`${name} did not answer within ${ms} ms`)),
      ms,
    );
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
