import { connect, type Socket } from 'node:net';
import { Answers } from './answers.ts';
import { Schedule } from './schedule.ts';

export interface OpenLoad {
  readonly port: number;
  /** Whole requests of HTTP/1.1, sent in turn. */
  readonly requests: readonly Buffer[];
  readonly perSecond: number;
  readonly seconds: number;
  /** What is due while all of them wait for an answer waits for the first one that is free, and its time runs. */
  readonly connections: number;
}

export interface OpenLoadResult {
  /** From the first request until the last answer. */
  readonly seconds: number;
  readonly asked: number;
  /** Answers by status; 0: the connection ended, or no answer came. */
  readonly statuses: { readonly [status: string]: number };
  /** Most requests that waited for a connection at a time. */
  readonly mostWaiting: number;
  /** Of each answered request, from when it was due. Milliseconds. */
  readonly latenciesMs: readonly number[];
}

/** Timers are of whole milliseconds. */
const TICK_MS = 1;
/** What is not answered so long after the last one was due is not answered. */
const LAST_ANSWER_MS = 30_000;

interface Lane {
  readonly socket: Socket;
  /** Of the request that is under way. */
  dueMs: number | undefined;
}

/**
 * Sends at a fixed rate whatever becomes of the requests before, and takes the time of each from when it was due: a server that stands still for
 * a second is seen by all requests of that second, not by those alone that were under way.
 */
export async function sendOpenLoop(load: OpenLoad): Promise<OpenLoadResult> {
  const client = new Client(load);
  await client.connect();
  return client.run();
}

class Client {
  private readonly load: OpenLoad;
  private readonly schedule: Schedule;
  private readonly lanes = new Set<Lane>();
  private readonly idle: Lane[] = [];
  /** Due times of requests that are due and have no connection yet, in order. */
  private readonly waiting: { readonly n: number; readonly dueMs: number }[] = [];
  private readonly latencies: number[] = [];
  private readonly statuses: { [status: string]: number } = {};
  private readonly finished = Promise.withResolvers<void>();
  private mostWaiting = 0;
  private ended = 0;
  private started = 0;

  constructor(load: OpenLoad) {
    this.load = load;
    this.schedule = new Schedule(load.perSecond, load.seconds);
  }

  async connect(): Promise<void> {
    await Promise.all(Array.from({ length: this.load.connections }, () => this.openLane()));
  }

  async run(): Promise<OpenLoadResult> {
    this.started = performance.now();
    const ticking = setInterval(() => this.send(), TICK_MS);
    const last = setTimeout(() => this.finished.resolve(), this.load.seconds * 1_000 + LAST_ANSWER_MS);
    await this.finished.promise;
    const seconds = this.now() / 1_000;
    clearInterval(ticking);
    clearTimeout(last);
    const unanswered = this.schedule.total - this.ended;
    for (const { socket } of this.lanes) socket.destroy();
    if (unanswered > 0) this.statuses[0] = (this.statuses[0] ?? 0) + unanswered;
    return {
      ...{ seconds, asked: this.schedule.total, statuses: { ...this.statuses } },
      ...{ mostWaiting: this.mostWaiting, latenciesMs: this.latencies },
    };
  }

  private now(): number {
    return performance.now() - this.started;
  }

  /** All that is due, as far as there are connections for it. */
  private send(): void {
    const now = this.now();
    for (let n = this.schedule.take(now); n !== undefined; n = this.schedule.take(now))
      this.waiting.push({ n, dueMs: this.schedule.dueAt(n) });
    this.serve();
    this.mostWaiting = Math.max(this.mostWaiting, this.waiting.length);
  }

  private serve(): void {
    const { requests } = this.load;
    while (this.idle.length > 0 && this.waiting.length > 0) {
      const lane = this.idle.pop();
      const next = this.waiting.shift();
      const request = next && requests[next.n % requests.length];
      if (!lane || !next || !request) throw new Error('nothing to send');
      lane.dueMs = next.dueMs;
      lane.socket.write(request);
    }
  }

  private openLane(): Promise<void> {
    const socket = connect({ port: this.load.port, host: '127.0.0.1', noDelay: true });
    const lane: Lane = { socket, dueMs: undefined };
    const answers = new Answers((status) => this.answered(lane, status));
    return new Promise((resolve, reject) => {
      socket.once('connect', () => {
        this.lanes.add(lane);
        this.idle.push(lane);
        resolve();
      });
      socket.on('error', reject);
      socket.on('data', (chunk: Buffer) => answers.take(chunk));
      socket.once('close', () => this.closed(lane));
    });
  }

  private answered(lane: Lane, status: number): void {
    const { dueMs } = lane;
    if (dueMs === undefined) throw new Error('an answer to no request');
    lane.dueMs = undefined;
    this.latencies.push(this.now() - dueMs);
    this.count(status);
    this.idle.push(lane);
    this.serve();
  }

  /** By the server: its request is lost, and the others go on without it. */
  private closed(lane: Lane): void {
    this.lanes.delete(lane);
    const at = this.idle.indexOf(lane);
    if (at >= 0) this.idle.splice(at, 1);
    if (lane.dueMs !== undefined) this.count(0);
    if (this.lanes.size === 0) this.finished.resolve();
  }

  private count(status: number): void {
    this.statuses[status] = (this.statuses[status] ?? 0) + 1;
    this.ended++;
    if (this.schedule.isOver && this.ended === this.schedule.total) this.finished.resolve();
  }
}
