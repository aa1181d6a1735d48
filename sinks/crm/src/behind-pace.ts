import type { Announcing, CallPace, CallWindow, PublishedPace, RateHeaders } from './capabilities.ts';
import { SharedPace } from './pace.ts';
import { lastOfAll, reservedOf } from './turns.ts';

/** The calls that only count for the part of the limit; what is called counts for the limit itself. */
const COUNTED: Announcing = { status: 200, headers: {} };

/**
 * A part of a CRM's limit, for calls that are less urgent than others: they stay below their part, all instances together, and in the pace
 * of the account, in which they count as well, they have their turn only when nobody else waits.
 */
export class BehindPace implements CallPace {
  private readonly account: CallPace & { readonly own: CallPace };
  private readonly part: SharedPace;

  /** `part` of the limit: from 0 to 1. */
  constructor(account: BehindPace['account'], published: PublishedPace, part: number) {
    this.account = account;
    const windows = published.windows.map((window) => partOf(window, part));
    const [first = { calls: 1, perMs: 1_000 }, ...others] = windows;
    this.part = new SharedPace({ published: { windows: [first, ...others] }, now: Date.now });
  }

  get headers(): RateHeaders {
    return this.account.headers ?? {};
  }

  get callsPerSecond(): number {
    return this.part.callsPerSecond;
  }

  /** That of the partitions of its own group. */
  setShare(share: number | undefined): void {
    this.part.setShare(share);
  }

  async run<T extends Announcing>(call: () => Promise<T>, signal: AbortSignal, kind?: string): Promise<T> {
    if (!reservedOf(this.account.own)) await this.count(1, signal);
    return lastOfAll(() => this.account.run(call, signal, kind));
  }

  async together<T>(calls: number, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.count(calls, signal);
    const { account } = this;
    return lastOfAll(() => (account.together ? account.together(calls, work, signal) : work()));
  }

  private async count(calls: number, signal: AbortSignal): Promise<void> {
    for (let made = 0; made < calls; made++) await this.part.run(async () => COUNTED, signal);
  }
}

/** Less than a call in the window is one in a longer window. */
function partOf({ calls, perMs }: CallWindow, part: number): CallWindow {
  const most = calls * part;
  return most < 1 ? { calls: 1, perMs: perMs / most } : { calls: Math.floor(most), perMs };
}
