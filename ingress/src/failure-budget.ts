import { LRUCache } from 'lru-cache';
import { TokenBucket } from './token-bucket.ts';

/** Failures of one source and network: so many at once, and one in this many seconds in the long run. */
const AT_ONCE = 20;
const SECONDS_EACH = 3;
const MAX_BUCKETS = 10_000;

const DELAY_MS = 1_000;
const MAX_WAITING = 64;
const MAX_WAITING_EACH = 8;

export interface FailureBudgetOptions {
  /** Milliseconds on a clock that never goes back. */
  readonly now?: () => number;
  readonly delayMs?: number;
}

/**
 * Counts how many requests failed, by source and network. A sender is never refused for what others did: an ESP's customers all send from
 * its addresses, and a genuine request is recognised at the price of a digest. An exhausted budget only takes away what a failing request
 * needs: the ingress fetches nothing for it, and answers late if it was a guess at a password.
 */
export class FailureBudget {
  readonly #now: () => number;
  readonly #delayMs: number;
  readonly #buckets = new LRUCache<string, TokenBucket>({ max: MAX_BUCKETS });
  readonly #waiting = new Map<string, number>();
  #waitingInAll = 0;

  constructor({ now = () => performance.now(), delayMs = DELAY_MS }: FailureBudgetOptions = {}) {
    this.#now = now;
    this.#delayMs = delayMs;
  }

  failed(source: string, network: string): void {
    const key = keyOf(source, network);
    let bucket = this.#buckets.get(key);
    if (!bucket) {
      bucket = new TokenBucket(1 / SECONDS_EACH, this.#now(), AT_ONCE);
      this.#buckets.set(key, bucket);
    }
    if (bucket.wait(this.#now()) === 0) bucket.take(this.#now());
  }

  isExhausted(source: string, network: string): boolean {
    return (this.#buckets.get(keyOf(source, network))?.wait(this.#now()) ?? 0) > 0;
  }

  /**
   * Before a failed guess is answered: takes its time if there were many. Only so many wait at a time, since each holds a
   * connection; `gone` ends the wait early.
   */
  async slowDown(source: string, network: string, gone: AbortSignal): Promise<void> {
    const key = keyOf(source, network);
    const waiting = this.#waiting.get(key) ?? 0;
    if (
      !this.isExhausted(source, network) ||
      waiting >= MAX_WAITING_EACH ||
      this.#waitingInAll >= MAX_WAITING
    )
      return;
    this.#waiting.set(key, waiting + 1);
    this.#waitingInAll++;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#delayMs);
      gone.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve();
      });
    });
    this.#waitingInAll--;
    const left = (this.#waiting.get(key) ?? 1) - 1;
    if (left > 0) this.#waiting.set(key, left);
    else this.#waiting.delete(key);
  }
}

const keyOf = (source: string, network: string) => `${source} ${network}`;
