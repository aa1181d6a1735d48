import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { apiKeys } from './wire.ts';

/** A request that a client has sent to a broker. */
export interface ProxiedRequest {
  /** Node id, from 1. */
  readonly broker: number;
  /** As kafkajs calls it: 'Produce', 'JoinGroup'. */
  readonly api: string;
  readonly version: number;
  readonly clientId: string;
  /** Behind the header. */
  readonly body: Buffer;
}

/** Bytes: the broker's answer, without its header. 'swallow': there is none. 'cut': the connection ends. Nothing: as it is. */
export type Interference = Buffer | 'swallow' | 'cut' | undefined;

// biome-ignore lint/suspicious/noConfusingVoidType: a function that only looks returns nothing
type Interfering = Interference | void | Promise<Interference | void>;

/** Says what happens to requests, and to the brokers' answers. A function that waits holds up the connection of its request. */
export interface Rule {
  readonly api: string;
  /** Node id; default: all of them. */
  readonly broker?: number;
  /** Before the broker sees it. Bytes are the answer, and the broker never sees it. */
  request?(request: ProxiedRequest): Interfering;
  /** Before the client sees the answer, which comes without its header. */
  answer?(request: ProxiedRequest, answer: Buffer): Interfering;
}

const NAMES = new Map(Object.entries(apiKeys).map(([name, key]) => [key, name]));

/**
 * One proxy before each broker, which reads Kafka's frames: so a moment between a request and its answer can be had on purpose, with
 * clients and brokers that know nothing of it.
 */
export class KafkaProxies {
  /** Every request since the start, in the order in which they came. */
  readonly requests: ProxiedRequest[] = [];
  /** Connections that the proxy refused. */
  refused = 0;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<{ readonly broker: number; readonly socket: Socket }>();
  readonly #rules = new Set<Rule>();
  readonly #away = new Set<number>();
  readonly #target: (broker: number) => number;

  private constructor(target: (broker: number) => number) {
    this.#target = target;
  }

  /** @param target port of the broker behind the proxy, asked for each connection */
  static async start(count: number, target: (broker: number) => number): Promise<KafkaProxies> {
    const proxies = new KafkaProxies(target);
    for (let broker = 1; broker <= count; broker++) {
      const server = createServer((client) => proxies.#accept(broker, client));
      proxies.#servers.push(server);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    }
    return proxies;
  }

  get ports(): number[] {
    return this.#servers.map((server) => (server.address() as AddressInfo).port);
  }

  get addresses(): string[] {
    return this.ports.map((port) => `127.0.0.1:${port}`);
  }

  /** Until the function that it returns is called. Of several the first that does something counts. */
  interfere(rule: Rule): () => void {
    this.#rules.add(rule);
    return () => void this.#rules.delete(rule);
  }

  /** Nothing is interfered with any more. */
  calm(): void {
    this.#rules.clear();
    this.#away.clear();
  }

  /** Ends the connections to a broker, and refuses new ones, until the caller calls the function that it returns. */
  takeAway(broker: number): () => void {
    this.#away.add(broker);
    this.cut(broker);
    return () => void this.#away.delete(broker);
  }

  cut(broker: number): void {
    for (const of of this.#sockets) if (of.broker === broker) of.socket.resetAndDestroy();
  }

  /** How often this was asked, of any broker, since so many requests. */
  count(api: string, since = 0): number {
    return this.requests.slice(since).filter((request) => request.api === api).length;
  }

  async stop(): Promise<void> {
    const closed = this.#servers.map((server) => new Promise((resolve) => server.close(resolve)));
    for (const { socket } of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }

  #accept(broker: number, client: Socket): void {
    if (this.#away.has(broker)) {
      this.refused += 1;
      client.on('error', () => {});
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({ host: '127.0.0.1', port: this.#target(broker) });
    const waiting = new Map<number, ProxiedRequest>();
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      const entry = { broker, socket };
      this.#sockets.add(entry);
      socket.setNoDelay();
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(entry);
        end();
      });
    }
    onFrames(client, (frame) => this.#request(broker, frame, waiting, { client, upstream, end }));
    onFrames(upstream, (frame) => this.#answer(frame, waiting, { client, upstream, end }));
  }

  async #request(
    broker: number,
    frame: Buffer,
    waiting: Map<number, ProxiedRequest>,
    { client, upstream, end }: Line,
  ): Promise<void> {
    const correlation = frame.readInt32BE(4);
    const nameEnd = 10 + Math.max(0, frame.readInt16BE(8));
    const request: ProxiedRequest = {
      broker,
      api: NAMES.get(frame.readInt16BE(0)) ?? '',
      version: frame.readInt16BE(2),
      clientId: frame.toString('utf8', 10, nameEnd),
      body: frame.subarray(nameEnd),
    };
    this.requests.push(request);
    const found = await this.#first(request, (rule) => rule.request?.(request));
    if (found === 'cut') return end();
    if (found === 'swallow') return;
    if (found) return void client.write(framed(Buffer.concat([int32(correlation), found])));
    waiting.set(correlation, request);
    upstream.write(framed(frame));
  }

  async #answer(frame: Buffer, waiting: Map<number, ProxiedRequest>, { client, end }: Line): Promise<void> {
    const correlation = frame.readInt32BE(0);
    const request = waiting.get(correlation);
    waiting.delete(correlation);
    const found =
      request && (await this.#first(request, (rule) => rule.answer?.(request, frame.subarray(4))));
    if (found === 'cut') return end();
    if (found === 'swallow') return;
    client.write(framed(found ? Buffer.concat([int32(correlation), found]) : frame));
  }

  async #first({ api, broker }: ProxiedRequest, ask: (rule: Rule) => Interfering): Promise<Interference> {
    for (const rule of [...this.#rules]) {
      if (rule.api !== api || (rule.broker ?? broker) !== broker) continue;
      const found = await ask(rule);
      if (found) return found;
    }
    return undefined;
  }
}

interface Line {
  readonly client: Socket;
  readonly upstream: Socket;
  end(): void;
}

/** One after the other, without their sizes. */
function onFrames(socket: Socket, take: (frame: Buffer) => Promise<void>): void {
  let pending: Buffer[] = [];
  let bytes = 0;
  let last = Promise.resolve();
  socket.on('data', (chunk) => {
    pending.push(chunk);
    bytes += chunk.length;
    for (;;) {
      if (bytes < 4) return;
      const all = pending.length === 1 ? (pending[0] as Buffer) : Buffer.concat(pending);
      pending = [all];
      const size = all.readInt32BE(0);
      if (bytes < 4 + size) return;
      const frame = all.subarray(4, 4 + size);
      pending = [all.subarray(4 + size)];
      bytes -= 4 + size;
      last = last.then(() => take(frame)).catch(() => void socket.destroy());
    }
  });
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

const framed = (frame: Buffer): Buffer => Buffer.concat([int32(frame.length), frame]);
