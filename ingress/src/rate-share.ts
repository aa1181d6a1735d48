/** An account's rate is what it sent in about this time: short, because as much as this at the full rate gets in at once. */
const WINDOW_SECONDS = 5;

interface Sent {
  bytes: number;
  at: number;
}

/**
 * Shares a number of bytes a second among accounts. As long as all together send less, nobody is refused. Beyond that,
 * accounts that send little are still taken whole, and those that send most are held to the same rate, the highest at which
 * the sum fits (max-min fairness). Only what was taken counts, so that a refused sender is not refused the longer for trying.
 *
 * Bytes are those of genuine bodies; `now` is in milliseconds on a clock that never goes back.
 */
export class RateShare {
  readonly #room: number;
  readonly #accounts = new Map<string, Sent>();

  /** `bytesPerSecond`: undefined for no limit. */
  constructor(bytesPerSecond: number | undefined) {
    this.#room = (bytesPerSecond ?? Number.POSITIVE_INFINITY) * WINDOW_SECONDS;
  }

  /** Seconds until a request of this account is taken; 0: now. `account` is a name of the configuration. */
  wait(account: string, now: number): number {
    const sent = this.#accounts.get(account);
    if (!sent || !this.#isFull(now)) return 0;
    const share = this.#share();
    return sent.bytes <= share ? 0 : WINDOW_SECONDS * Math.log(sent.bytes / share);
  }

  took(account: string, bytes: number, now: number): void {
    if (this.#room === Number.POSITIVE_INFINITY) return;
    const sent = this.#accounts.get(account) ?? { bytes: 0, at: now };
    decay(sent, now);
    sent.bytes += bytes;
    this.#accounts.set(account, sent);
  }

  #isFull(now: number): boolean {
    if (this.#room === Number.POSITIVE_INFINITY) return false;
    let total = 0;
    for (const [account, sent] of this.#accounts) {
      decay(sent, now);
      total += sent.bytes;
      // It left the configuration, or sends so little that it need not be remembered.
      if (sent.bytes < 1) this.#accounts.delete(account);
    }
    return total >= this.#room;
  }

  /** The share that fills the room when every account takes that much, or less if it sends less. */
  #share(): number {
    const ascending = [...this.#accounts.values()].map(({ bytes }) => bytes).sort((a, b) => a - b);
    let room = this.#room;
    let left = ascending.length;
    for (const bytes of ascending) {
      const equal = room / left;
      if (bytes > equal) return equal;
      room -= bytes;
      left--;
    }
    return Number.POSITIVE_INFINITY;
  }
}

function decay(sent: Sent, now: number): void {
  sent.bytes *= Math.exp(-(now - sent.at) / (WINDOW_SECONDS * 1_000));
  sent.at = now;
}
