/** An account's rate is what it sent in about this time: short, because as much as this at the full rate gets in at once. */
const WINDOW_SECONDS = 5;
/** The share is computed so often at most: it is asked for by requests that nothing is known of yet. */
const SETTLE_MS = 100;

interface Sent {
  bytes: number;
  at: number;
}

/**
 * Shares a number of bytes a second among accounts. As long as all together send less, it refuses none. Beyond that,
 * accounts that send little are still taken whole, and those that send most are held to the same rate, the highest at which
 * the sum fits (max-min fairness). Only what was taken counts, so that a refused sender is not refused the longer for trying.
 *
 * Bytes are those of genuine bodies; `now` is in milliseconds on a clock that never goes back.
 */
export class RateShare {
  readonly #room: number;
  readonly #accounts = new Map<string, Sent>();
  /** Of all accounts. */
  readonly #total: Sent = { bytes: 0, at: 0 };
  #share = 0;
  #settledAt = Number.NEGATIVE_INFINITY;

  /** `bytesPerSecond`: undefined for no limit. */
  constructor(bytesPerSecond: number | undefined) {
    this.#room = (bytesPerSecond ?? Number.POSITIVE_INFINITY) * WINDOW_SECONDS;
  }

  /** Seconds until a request of this account is taken; 0: now. */
  wait(account: string, now: number): number {
    decay(this.#total, now);
    const sent = this.#accounts.get(account);
    if (!sent || this.#total.bytes < this.#room) return 0;
    if (now - this.#settledAt >= SETTLE_MS) this.#settle(now);
    decay(sent, now);
    return sent.bytes <= this.#share ? 0 : WINDOW_SECONDS * Math.log(sent.bytes / this.#share);
  }

  /** Counts a request that is taken. A negative number takes it back: it came to nothing after all. */
  took(account: string, bytes: number, now: number): void {
    if (this.#room === Number.POSITIVE_INFINITY) return;
    const sent = this.#accounts.get(account) ?? { bytes: 0, at: now };
    this.#accounts.set(account, sent);
    for (const part of [sent, this.#total]) {
      decay(part, now);
      part.bytes = Math.max(0, part.bytes + bytes);
    }
  }

  /** The share that fills the room when every account takes that much, or less if it sends less. */
  #settle(now: number): void {
    const ascending: number[] = [];
    for (const [account, sent] of this.#accounts) {
      decay(sent, now);
      // It left the configuration, or sends so little that it need not be remembered.
      if (sent.bytes < 1) this.#accounts.delete(account);
      else ascending.push(sent.bytes);
    }
    ascending.sort((a, b) => a - b);
    let room = this.#room;
    let left = ascending.length;
    for (const bytes of ascending) {
      if (bytes > room / left) break;
      room -= bytes;
      left--;
    }
    this.#share = left === 0 ? this.#room : room / left;
    this.#settledAt = now;
  }
}

function decay(sent: Sent, now: number): void {
  sent.bytes *= Math.exp(-(now - sent.at) / (WINDOW_SECONDS * 1_000));
  sent.at = now;
}
