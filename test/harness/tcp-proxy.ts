import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Transform, type TransformCallback } from 'node:stream';

/** Stands between clients and a server, so that the way between them can fail while both are well. */
export interface TcpProxy {
  /** The target's URL with the proxy's address. */
  readonly url: string;
  readonly port: number;
  /** Cuts all connections and takes no new ones. */
  stop(): Promise<void>;
  /** Listens again, on the same port. */
  start(): Promise<void>;
  /** Cuts the connections that are open now; new ones are taken. */
  cut(): void;
  /** From now on every byte, either way, arrives this much later; 0: at once. Milliseconds. */
  delay(ms: number): void;
}

export interface ProxyTarget {
  readonly host: string;
  readonly port: number;
}

/** In front of the host and port of a URL. */
export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const { hostname: host, port } = new URL(target);
  return startProxy(() => [{ host, port: Number(port) }], target);
}

/**
 * In front of several servers that can take each other's place: each connection goes to the next one in turn that
 * accepts it. Asked for each connection, so that servers may come and go.
 */
export async function startProxy(
  targets: () => readonly ProxyTarget[],
  url = 'http://127.0.0.1/',
): Promise<TcpProxy> {
  const proxy = new RunningProxy(targets, url);
  await proxy.start();
  return proxy;
}

class RunningProxy implements TcpProxy {
  readonly #targets: () => readonly ProxyTarget[];
  readonly #targetUrl: string;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;
  #turn = 0;
  #delayMs = 0;

  constructor(targets: () => readonly ProxyTarget[], targetUrl: string) {
    this.#targets = targets;
    this.#targetUrl = targetUrl;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    const url = new URL(this.#targetUrl);
    url.hostname = '127.0.0.1';
    url.port = String(this.#port);
    return url.href;
  }

  async start(): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = (server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    const closed = new Promise((resolve) => server.close(resolve));
    this.cut();
    await closed;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  delay(ms: number): void {
    this.#delayMs = ms;
  }

  #accept(client: Socket): void {
    this.#track(client);
    const targets = this.#targets();
    this.#turn++;
    this.#reach(
      client,
      targets.map((_, i) => targets[(this.#turn + i) % targets.length] as ProxyTarget),
    );
  }

  /** Connects to the first of the targets that answers, or cuts the client off. */
  #reach(client: Socket, [target, ...others]: readonly ProxyTarget[]): void {
    if (!target) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({ port: target.port, host: target.host, allowHalfOpen: true });
    this.#track(upstream);
    upstream.once('error', () => {
      if (upstream.connecting || upstream.pending) this.#reach(client, others);
    });
    upstream.once('connect', () => {
      if (client.destroyed) upstream.destroy();
      else this.#join(client, upstream);
    });
  }

  #join(client: Socket, upstream: Socket): void {
    client.setNoDelay();
    upstream.setNoDelay();
    client.pipe(new Delay(() => this.#delayMs)).pipe(upstream);
    upstream.pipe(new Delay(() => this.#delayMs)).pipe(client);
    // A cut on one side is a cut on the other.
    client.once('close', (failed) => failed && upstream.resetAndDestroy());
    upstream.once('close', (failed) => failed && client.resetAndDestroy());
    client.once('close', () => upstream.destroy());
    upstream.once('close', () => client.destroySoon());
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    // Either side may be cut at any time; that is the point.
    socket.on('error', () => {});
  }
}

const MAX_DELAYED_BYTES = 4 * 1_048_576;

/** Hands on what comes in, in order, each piece later by the delay that was in force when it came. */
class Delay extends Transform {
  readonly #delayMs: () => number;
  readonly #waiting: { readonly due: number; readonly work: () => void }[] = [];
  #held = 0;
  #blocked: TransformCallback | undefined;

  constructor(delayMs: () => number) {
    super();
    this.#delayMs = delayMs;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (this.#delayMs() === 0 && this.#held === 0) {
      done(null, chunk);
      return;
    }
    this.#held += chunk.length;
    this.#later(() => {
      this.#held -= chunk.length;
      this.push(chunk);
      const blocked = this.#blocked;
      this.#blocked = undefined;
      blocked?.();
    });
    if (this.#held < MAX_DELAYED_BYTES) done();
    else this.#blocked = done;
  }

  override _flush(done: TransformCallback): void {
    this.#later(() => done());
  }

  /** One after the other: timers of nearly the same moment may fire in any order. */
  #later(work: () => void): void {
    this.#waiting.push({ due: performance.now() + this.#delayMs(), work });
    if (this.#waiting.length === 1) this.#wait();
  }

  #wait(): void {
    const [first] = this.#waiting;
    if (!first) return;
    setTimeout(
      () => {
        if (this.destroyed) return;
        this.#waiting.shift();
        first.work();
        this.#wait();
      },
      Math.max(0, first.due - performance.now()),
    );
  }
}
