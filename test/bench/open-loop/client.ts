import { connect, type Socket } from 'node:net';
import { Answers } from './answers.ts';
import { Schedule } from './schedule.ts';

export interface OpenLoad {
  readonly port: number;
  /** Whole requests of HTTP/1.1, sent in turn. */
  readonly requests: readonly Buffer[];
  readonly perSecond: number;
  readonly seconds: number;
  /**
   * At most; they are opened as they are needed, and kept. What is due while all of them wait for an answer waits for the first one that is
   * free, and its time runs.
   */
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
  isOpen: boolean;
  /** Of the request that is under way. */
  dueMs: number | undefined;
}

/**
 * Sends at a fixed rate whatever becomes of the requests before, and takes the time of each from when it was due: a server that stands still for
 * a second is seen by all requests of that second, not by those alone that were under way.
 */
export async function sendOpenLoop(load: OpenLoad): Promise<OpenLoadResult> {
  return new Client(load).run();
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
  /** Connections that are not there yet. */
  private opening = 0;
  private started = 0;

  constructor(load: OpenLoad) {
    this.load = load;
    this.schedule = new Schedule(load.perSecond, load.seconds);
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
    const missing = Math.min(this.waiting.length - this.opening, this.load.connections - this.lanes.size);
    for (let i = 0; i < missing; i++) this.openLane();
  }

  private openLane(): void {
    const socket = connect({ port: this.load.port, host: '127.0.0.1', noDelay: true });
    const lane: Lane = { socket, isOpen: false, dueMs: undefined };
    const answers = new Answers((status) => this.answered(lane, status));
    this.lanes.add(lane);
    this.opening++;
    socket.once('connect', () => {
      this.opening--;
      lane.isOpen = true;
      this.idle.push(lane);
      this.serve();
    });
    socket.on('data', (chunk: Buffer) => answers.take(chunk));
    // Always followed by the end of the connection.
    socket.on('error', () => undefined);
    socket.once('close', () => this.closed(lane));
  }

  private answered(lane: Lane, status: number): void {
    const { dueMs } = lane;
    // A server that ends a connection which is idle may say so before.
    if (dueMs === undefined) return;
    lane.dueMs = undefined;
    this.latencies.push(this.now() - dueMs);
    this.count(status);
    this.idle.push(lane);
    this.serve();
  }

  /** By the server: the request that is under way on it is lost. One that is idle may end, and is opened anew when it is needed. */
  private closed(lane: Lane): void {
    if (!lane.isOpen) this.finished.reject(new Error(`no connection to port ${this.load.port}`));
    this.lanes.delete(lane);
    const at = this.idle.indexOf(lane);
    if (at >= 0) this.idle.splice(at, 1);
    if (lane.dueMs !== undefined) this.count(0);
  }

  private count(status: number): void {
    this.statuses[status] = (this.statuses[status] ?? 0) + 1;
    this.ended++;
    if (this.schedule.isOver && this.ended === this.schedule.total) this.finished.resolve();
  }
}
