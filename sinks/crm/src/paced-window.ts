import type { CallWindow } from './capabilities.ts';

/** Of a window, the calls that are made: some are kept back for those that arrive closer together than they left. */
const USED = 0.95;
/** Windows are counted as longer than they are by this factor, since clocks differ, and calls do not all take as long to get there. */
const LONGER = 1.01;

/**
 * The calls of an instance within a window that slides. It remembers as many as the whole account may make, so that a share that gets
 * smaller and larger again forgets none. A call that is reserved counts until it is made or given back, and from then on by its time.
 */
export class PacedWindow {
  /** Between two calls. */
  everyMs = 0;
  private readonly window: CallWindow;
  private readonly perMs: number;
  private most = 0;
  private reserved = 0;
  /** Times of the newest calls, in a ring. */
  private readonly times: Float64Array;
  private next = 0;

  constructor(window: CallWindow, share: number) {
    this.window = window;
    this.perMs = window.perMs * LONGER;
    this.times = new Float64Array(Math.max(1, Math.floor(window.calls * USED))).fill(
      Number.NEGATIVE_INFINITY,
    );
    this.setShare(share);
  }

  setShare(share: number): void {
    const { calls, perMs } = this.window;
    // With no share, a call a second: the few of a check.
    const due = share === 0 ? Math.min(calls, perMs / 1_000) : calls * share;
    this.most = Math.max(1, Math.floor(due * USED));
    this.everyMs = Math.max(this.perMs / this.most, perMs / due);
  }

  /** How many calls of those that are wanted together it can ever take at once. */
  atOnce(wanted: number): number {
    return Math.min(wanted, this.most);
  }

  /** When it takes so many further calls; infinite: not before some that are reserved were made or given back. */
  freeAt(calls: number): number {
    const others = this.most - this.reserved - calls;
    if (others < 0) return Number.POSITIVE_INFINITY;
    // The newest call that must be out of the window by then.
    const at = (this.next - others - 1 + 2 * this.times.length) % this.times.length;
    return (this.times[at] ?? Number.NEGATIVE_INFINITY) + this.perMs;
  }

  reserve(calls: number): void {
    this.reserved += calls;
  }

  giveBack(calls: number): void {
    this.reserved -= calls;
  }

  /** One that was reserved is made. */
  note(time: number): void {
    this.reserved -= 1;
    this.times[this.next] = time;
    this.next = (this.next + 1) % this.times.length;
  }

  /** A call of that time may have come so much later than others do: from now on it counts as if it had. Milliseconds. */
  late(time: number, byMs: number): void {
    const to = time + byMs - (this.perMs - this.window.perMs);
    if (to <= time) return;
    const { times } = this;
    const place = (back: number) => (this.next - back + 2 * times.length) % times.length;
    let back = 1;
    while (back <= times.length && (times[place(back)] ?? 0) > time) back += 1;
    // There are so many newer ones that it does not matter any more.
    if (back > times.length || times[place(back)] !== time) return;
    for (; back > 1 && (times[place(back - 1)] ?? 0) < to; back -= 1)
      times[place(back)] = times[place(back - 1)] ?? 0;
    times[place(back)] = to;
  }
}
