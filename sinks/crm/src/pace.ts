import { askedMs, callsLeft } from './announced.ts';
import type { Announcing, CallPace, PublishedPace, RateHeaders } from './capabilities.ts';
import { CrmError } from './errors.ts';
import { LeastLatency } from './least-latency.ts';
import { PacedWindow } from './paced-window.ts';
import { isLast, isUrgent, type Reserved, reservedOf, withReserved } from './turns.ts';

export interface PaceOptions {
  /** Of the whole account. */
  readonly published: PublishedPace;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Milliseconds that only grow, whatever is done to the time of day. */
  readonly clock?: () => number;
}

interface Waiting {
  /** Calls that are to have their turn together. */
  readonly calls: number;
  readonly go: (reserved: Reservation) => void;
  readonly give: (error: unknown) => void;
}

/** Calls that were late may be made up for, but not more than what was due in so long. Milliseconds. */
const CREDIT_MS = 100;
/** To wait after a 429 that does not say how long, at most. */
const UNTOLD_MS = 1_000;

/**
 * Paces the calls of one instance, so that all instances together stay below what the CRM publishes. The share of an instance is that of
 * the partitions that it has: it follows each rebalance, and the shares of all add up to one without anybody having to count instances.
 * While the partitions move, no call is made. Calls are evenly spaced, and counted over a sliding window besides, so that neither a stall
 * of this process nor a change of its share makes a burst. What was called is remembered whatever becomes of the share.
 */
export class SharedPace implements CallPace {
  readonly headers: RateHeaders;
  private readonly options: PaceOptions;
  private readonly clock: () => number;
  private readonly windows: readonly PacedWindow[];
  private most = Number.POSITIVE_INFINITY;
  private underWay = 0;
  /** Undefined: the partitions move, and with them the shares. */
  private share: number | undefined = 1;
  /** By kind of call. */
  private readonly latencies = new Map<string, LeastLatency>();
  private dueAt = Number.NEGATIVE_INFINITY;
  private heldUntil = Number.NEGATIVE_INFINITY;
  private pausedUntil = Number.NEGATIVE_INFINITY;
  /** Further calls of work that has begun: one of the calls at a time is theirs already, and what waits for that would lock them out. */
  private readonly begun: Waiting[] = [];
  private readonly urgent: Waiting[] = [];
  private readonly waiting: Waiting[] = [];
  /** Have their turn only when nobody else waits. */
  private readonly last: Waiting[] = [];
  private timer: NodeJS.Timeout | undefined;

  /** Has the whole budget until it is told its share: what is called before are checks. */
  constructor(options: PaceOptions) {
    this.options = options;
    this.headers = options.published.headers ?? {};
    this.clock = options.clock ?? (() => performance.now());
    this.windows = options.published.windows.map((window) => new PacedWindow(window, 1));
    this.setShare(1);
  }

  /** Calls a second that this instance may make now. */
  get callsPerSecond(): number {
    return this.share === undefined ? 0 : 1_000 / this.everyMs;
  }

  /** Whether urgent calls wait for their turn now. */
  get isWaiting(): boolean {
    return this.urgent.length + this.begun.length > 0;
  }

  /** From 0 to 1; undefined: it is not known now. One that has no partition still makes a check now and then. */
  setShare(share: number | undefined): void {
    this.share = share;
    if (share !== undefined) {
      const { concurrency } = this.options.published;
      for (const window of this.windows) window.setShare(share);
      if (concurrency !== undefined) this.most = Math.max(1, Math.floor(concurrency * share));
    }
    this.pump();
  }

  async run<T extends Announcing>(call: () => Promise<T>, signal: AbortSignal, kind = ''): Promise<T> {
    const reserved = reservedOf(this);
    if (!reserved) return this.together(1, () => this.run(call, signal, kind), signal);
    return reserved.run(call, signal, kind) ?? this.goOn(() => this.run(call, signal, kind), signal);
  }

  /** Where so many calls are more than a window takes at once, the rest of them go before all others. */
  async together<T>(calls: number, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const reserved = await this.turn(
      isUrgent() ? this.urgent : isLast() ? this.last : this.waiting,
      calls,
      signal,
    );
    try {
      return await this.doneBy(reserved, work);
    } finally {
      this.underWay -= 1;
      this.pump();
    }
  }

  /** One call more of work that has begun. */
  private async goOn<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.doneBy(await this.turn(this.begun, 1, signal), work);
  }

  private async doneBy<T>(reserved: Reservation, work: () => Promise<T>): Promise<T> {
    try {
      return await withReserved(reserved, work);
    } finally {
      this.giveBack(reserved);
    }
  }

  /** Begins a call that was reserved, and returns when. Throws if it is not to be made any more. */
  begin(signal: AbortSignal): number {
    signal.throwIfAborted();
    const now = this.clock();
    // What the CRM has asked for since its turn came counts for it, too.
    const wait = Math.max(this.pausedUntil, this.heldUntil) - now;
    if (wait > 0) throw pausedFor(wait);
    for (const window of this.windows) window.note(now);
    return now;
  }

  /**
   * A call of that time is over. One that took longer than others of its kind may have come as much later: on a machine or a network that
   * stood still meanwhile, together with those that followed it.
   */
  end(begunAt: number, kind: string, answer?: Announcing): void {
    const now = this.clock();
    const latency = this.latencies.get(kind) ?? new LeastLatency();
    this.latencies.set(kind, latency);
    if (answer && answer.status < 300) latency.note(now - begunAt, now);
    if (answer) this.hear(answer);
    for (const window of this.windows) window.late(begunAt, now - begunAt - latency.least);
  }

  private async turn(queue: Waiting[], wanted: number, signal: AbortSignal): Promise<Reservation> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Reservation>();
    const waiting: Waiting = { calls: wanted, go: resolve, give: reject };
    const gone = () => {
      const at = queue.indexOf(waiting);
      if (at >= 0) queue.splice(at, 1);
      reject(signal.reason);
    };
    signal.addEventListener('abort', gone, { once: true });
    queue.push(waiting);
    this.pump();
    return promise.finally(() => signal.removeEventListener('abort', gone));
  }

  /** Lets calls go that are due, and comes back when the next one is. */
  private pump(): void {
    clearTimeout(this.timer);
    const now = this.clock();
    if (this.pausedUntil > now) this.giveAll(this.pausedUntil - now);
    while (this.share !== undefined) {
      const queue = this.nextQueue();
      const first = queue?.[0];
      if (!queue || !first) return;
      const calls = Math.min(...this.windows.map((window) => window.atOnce(first.calls)));
      const wait = this.waitMs(calls, now);
      if (wait > 0) {
        if (wait !== Number.POSITIVE_INFINITY) this.timer = setTimeout(() => this.pump(), Math.ceil(wait));
        return;
      }
      for (const window of this.windows) window.reserve(calls);
      const { everyMs } = this;
      this.dueAt = Math.max(this.dueAt, now - CREDIT_MS) + calls * everyMs;
      if (queue !== this.begun) this.underWay += 1;
      queue.shift();
      first.go(new Reservation(this, calls, everyMs));
    }
  }

  private nextQueue(): Waiting[] | undefined {
    const queues =
      this.underWay < this.most ? [this.begun, this.urgent, this.waiting, this.last] : [this.begun];
    return queues.find(({ length }) => length > 0);
  }

  private waitMs(calls: number, now: number): number {
    return Math.max(this.dueAt, this.heldUntil, ...this.windows.map((window) => window.freeAt(calls))) - now;
  }

  private get everyMs(): number {
    return Math.max(...this.windows.map((window) => window.everyMs));
  }

  private giveBack({ left, everyMs }: Reservation): void {
    for (const window of this.windows) window.giveBack(left);
    this.dueAt -= left * everyMs;
    this.pump();
  }

  /** What an answer says of the calls that the CRM takes. */
  private hear(answer: Announcing): void {
    const [now, epoch] = [this.clock(), this.options.now()];
    if (answer.status === 429) {
      const asked = askedMs(answer, this.headers, epoch) ?? Math.random() * UNTOLD_MS;
      this.pausedUntil = Math.max(this.pausedUntil, now + asked);
      return;
    }
    const left = callsLeft(answer, this.headers, epoch);
    // Others use the account too.
    if (left && left.calls < 1) this.heldUntil = Math.max(this.heldUntil, now + left.resetMs);
  }

  private giveAll(afterMs: number): void {
    const queues = [this.begun, this.urgent, this.waiting, this.last];
    for (const { give } of queues.flatMap((queue) => queue.splice(0))) give(pausedFor(afterMs));
  }
}

const pausedFor = (afterMs: number) =>
  new CrmError('paused', 'SINK_CRM_THROTTLED', 'the CRM asked for a pause', { afterMs });

/** Calls whose turn it is. */
class Reservation implements Reserved {
  readonly of: SharedPace;
  left: number;
  /** By which each of them put off those behind it. */
  readonly everyMs: number;

  constructor(of: SharedPace, calls: number, everyMs: number) {
    this.of = of;
    this.left = calls;
    this.everyMs = everyMs;
  }

  run<T extends Announcing>(call: () => Promise<T>, signal: AbortSignal, kind: string) {
    return this.left === 0 ? undefined : this.make(call, signal, kind);
  }

  private async make<T extends Announcing>(
    call: () => Promise<T>,
    signal: AbortSignal,
    kind: string,
  ): Promise<T> {
    const begunAt = this.of.begin(signal);
    this.left -= 1;
    let answer: T | undefined;
    try {
      answer = await call();
      return answer;
    } finally {
      this.of.end(begunAt, kind, answer);
    }
  }
}

/** Of the limit, for a command beside the sinks: with the 95 % that all of those make it stays below. */
const BESIDE = 0.042;

/** The pace of a command that calls the CRM while the sinks do. Undefined: the limit is of single calls, which the sinks make. */
export function paceBeside(published: PublishedPace): SharedPace | undefined {
  if (published.windows.some(({ calls }) => calls < 2)) return undefined;
  const pace = new SharedPace({ published, now: Date.now });
  pace.setShare(BESIDE);
  return pace;
}

/** The limit of a CRM as its operator has it: `callsPerSecond` of the settings instead of the published windows. Undefined: none. */
export function paceOf(
  published: PublishedPace | undefined,
  callsPerSecond: number | undefined,
): PublishedPace | undefined {
  if (callsPerSecond === undefined) return published;
  // A rate below one a second is a window of several seconds.
  const calls = Math.max(1, Math.floor(callsPerSecond));
  return { ...published, windows: [{ calls, perMs: (calls * 1_000) / callsPerSecond }] };
}
