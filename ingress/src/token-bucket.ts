/** Lets `perSecond` through in the long run, and `capacity` at once: a second's worth unless it says otherwise. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #capacity: number;
  #tokens: number;
  #at: number;

  /** `now` is in milliseconds, on any clock that never goes back. */
  constructor(perSecond: number, now: number, capacity = Math.max(1, perSecond)) {
    this.#perSecond = perSecond;
    this.#capacity = capacity;
    this.#tokens = this.#capacity;
    this.#at = now;
  }

  /** Seconds until there is a token; 0: there is one. Takes none. */
  wait(now: number): number {
    this.#refill(now);
    return this.#tokens >= 1 ? 0 : (1 - this.#tokens) / this.#perSecond;
  }

  /** Below zero at most by what ran at the same time. */
  take(now: number, tokens = 1): void {
    this.#refill(now);
    this.#tokens -= tokens;
  }

  #refill(now: number): void {
    this.#tokens = Math.min(this.#capacity, this.#tokens + ((now - this.#at) / 1000) * this.#perSecond);
    this.#at = now;
  }
}
