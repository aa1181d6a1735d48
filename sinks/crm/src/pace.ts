import { askedMs, callsLeft } from './announced.ts';
import type { Announcing, CallPace, CallWindow, PublishedPace, RateHeaders } from './capabilities.ts';
import { CrmError } from './errors.ts';

export interface PaceOptions {
  /** Of the whole account. */
  readonly published: PublishedPace;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Milliseconds that only grow, whatever is done to the time of day. */
  readonly clock?: () => number;
}

interface Waiting {
  readonly go: () => void;
  readonly give: (error: unknown) => void;
}

/** Of a window, the calls that are made: some are kept back for those that arrive closer together than they left. */
const USED = 0.95;
/** Windows are counted as longer than they are by this factor, since clocks differ. */
const LONGER = 1.01;
/** Calls that were late may be made up for, but not more than what was due in so long. Milliseconds. */
const CREDIT_MS = 100;
/** To wait after a 429 that does not say how long, at most. */
const UNTOLD_MS = 1_000;

/**
 * Paces the calls of one instance, so that all instances together stay below what the CRM publishes. The share of an instance is that of
 * the partitions that it has: it follows each rebalance, and the shares of all add up to one without anybody having to count instances.
 * While the partitions move, no call is made. Calls are evenly spaced, and counted over a sliding window besides, so that neither a stall
 * of this process nor a change of its share makes a burst.
 */
export class SharedPace implements CallPace {
  readonly headers: RateHeaders;
  private readonly options: PaceOptions;
  private readonly clock: () => number;
  private windows: readonly PacedWindow[] = [];
  private most = Number.POSITIVE_INFINITY;
  private underWay = 0;
  /** Undefined: the partitions move, and with them the shares. */
  private share: number | undefined;
  private dueAt = Number.NEGATIVE_INFINITY;
  private heldUntil = Number.NEGATIVE_INFINITY;
  private pausedUntil = Number.NEGATIVE_INFINITY;
  private readonly waiting: Waiting[] = [];
  private timer: NodeJS.Timeout | undefined;

  /** Has the whole budget until it is told its share: what is called before are checks. */
  constructor(options: PaceOptions) {
    this.options = options;
    this.headers = options.published.headers ?? {};
    this.clock = options.clock ?? (() => performance.now());
    this.setShare(1);
  }

  /** Calls a second that this instance may make now. */
  get callsPerSecond(): number {
    return this.share === undefined ? 0 : Math.min(...this.windows.map(({ everyMs }) => 1_000 / everyMs));
  }

  /** From 0 to 1; undefined: it is not known now. One that has no partition still makes a check now and then. */
  setShare(share: number | undefined): void {
    this.share = share;
    if (share !== undefined) {
      const { windows, concurrency } = this.options.published;
      this.windows = windows.map((window, index) => new PacedWindow(window, share, this.windows[index]));
      if (concurrency !== undefined) this.most = Math.max(1, Math.floor(concurrency * share));
    }
    this.pump();
  }

  async run<T extends Announcing>(call: () => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.turn(signal);
    try {
      const answer = await call();
      this.hear(answer);
      return answer;
    } finally {
      this.underWay -= 1;
      this.pump();
    }
  }

  private turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting: Waiting = { go: resolve, give: reject };
    const gone = () => {
      const at = this.waiting.indexOf(waiting);
      if (at >= 0) this.waiting.splice(at, 1);
      reject(signal.reason);
    };
    signal.addEventListener('abort', gone, { once: true });
    this.waiting.push(waiting);
    this.pump();
    return promise.finally(() => signal.removeEventListener('abort', gone));
  }

  /** Lets calls go that are due, and comes back when the next one is. */
  private pump(): void {
    clearTimeout(this.timer);
    const now = this.clock();
    if (this.pausedUntil > now) this.giveAll(this.pausedUntil - now);
    while (this.share !== undefined && this.waiting.length > 0 && this.underWay < this.most) {
      const wait = this.waitMs(now);
      if (wait > 0) {
        this.timer = setTimeout(() => this.pump(), Math.ceil(wait));
        return;
      }
      this.note(now);
      this.underWay += 1;
      this.waiting.shift()?.go();
    }
  }

  private waitMs(now: number): number {
    return Math.max(this.dueAt, this.heldUntil, ...this.windows.map((window) => window.freeAt)) - now;
  }

  private note(now: number): void {
    const everyMs = Math.max(...this.windows.map((window) => window.everyMs));
    this.dueAt = Math.max(this.dueAt, now - CREDIT_MS) + everyMs;
    for (const window of this.windows) window.note(now);
  }

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
    const error = new CrmError('paused', 'SINK_CRM_THROTTLED', 'the CRM asked for a pause', { afterMs });
    for (const { give } of this.waiting.splice(0)) give(error);
  }
}

/** The calls of an instance within a window that slides. */
class PacedWindow {
  /** Between two calls. */
  readonly everyMs: number;
  private readonly perMs: number;
  /** Times of the newest calls, as many as the window takes, in a ring. */
  private readonly times: Float64Array;
  private next = 0;

  constructor({ calls, perMs }: CallWindow, share: number, before?: PacedWindow) {
    // With no share, a call a second: the few of a check.
    const due = share === 0 ? Math.min(calls, perMs / 1_000) : calls * share;
    const most = Math.max(1, Math.floor(due * USED));
    this.perMs = perMs * LONGER;
    this.everyMs = Math.max(this.perMs / most, perMs / due);
    this.times = new Float64Array(most).fill(Number.NEGATIVE_INFINITY);
    for (const time of before?.newest(most) ?? []) this.note(time);
  }

  /** When it takes another call. */
  get freeAt(): number {
    return (this.times[this.next] ?? Number.NEGATIVE_INFINITY) + this.perMs;
  }

  note(time: number): void {
    this.times[this.next] = time;
    this.next = (this.next + 1) % this.times.length;
  }

  private newest(most: number): number[] {
    const inOrder = [...this.times.subarray(this.next), ...this.times.subarray(0, this.next)];
    return inOrder.slice(-most);
  }
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
