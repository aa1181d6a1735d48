/**
 * Bytes of all requests in the house. Counted as they arrive, so that announcing a large body takes nothing from others.
 * When there are none left, the request that has been arriving longest is given up for the one that needs some: who sends
 * a byte now and then must not keep others out.
 */
export class ByteBudget {
  readonly #max: number;
  readonly #arriving = new Set<Holding>();
  #used = 0;
  readonly #ledger: Ledger = {
    take: (bytes, self) => this.#take(bytes, self),
    give: (bytes) => {
      this.#used -= bytes;
    },
    leave: (self) => {
      this.#arriving.delete(self);
    },
  };

  constructor(max: number) {
    this.#max = max;
  }

  get used(): number {
    return this.#used;
  }

  /** For a request that begins to arrive. */
  hold(): Holding {
    const holding = new Holding(this.#ledger);
    this.#arriving.add(holding);
    return holding;
  }

  #take(bytes: number, self: Holding): boolean {
    while (this.#used + bytes > this.#max) {
      const [oldest] = this.#arriving;
      if (!oldest || oldest === self) return false;
      oldest.giveUp();
    }
    this.#used += bytes;
    return true;
  }
}

/** The side of the budget that its holdings see. */
interface Ledger {
  take(bytes: number, self: Holding): boolean;
  give(bytes: number): void;
  leave(self: Holding): void;
}

/** One request's part of the budget. */
export class Holding {
  readonly #ledger: Ledger;
  #bytes = 0;
  /** Called when what it holds was given to others before it has arrived. */
  onGivenUp: () => void = () => {};

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** No if that is more than there is left; then nothing was taken. */
  take(bytes: number): boolean {
    if (!this.#ledger.take(bytes, this)) return false;
    this.#bytes += bytes;
    return true;
  }

  /** Arrived whole: from now on it keeps what it has until it is released. */
  arrived(): void {
    this.#ledger.leave(this);
  }

  giveUp(): void {
    this.release();
    this.onGivenUp();
  }

  /** May be called twice. */
  release(): void {
    this.#ledger.leave(this);
    this.#ledger.give(this.#bytes);
    this.#bytes = 0;
  }
}
