/**
 * Bytes of all requests in the house. Counted as they arrive, so that announcing a large body takes nothing from others.
 * When there are none left, the request that has been arriving longest is given up for the one that needs some: who sends
 * a byte now and then must not keep others out.
 */
export class ByteBudget {
  readonly #max: number;
  readonly #arriving = new Set<Holding>();
  #used = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get used(): number {
    return this.#used;
  }

  /** For a request that begins to arrive. */
  hold(): Holding {
    const holding: Holding = new Holding(
      (bytes) => this.#take(bytes, holding),
      (bytes) => {
        this.#used -= bytes;
      },
      () => this.#arriving.delete(holding),
    );
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

/** One request's part of the budget. */
export class Holding {
  readonly #take: (bytes: number) => boolean;
  readonly #give: (bytes: number) => void;
  readonly #leave: () => void;
  #bytes = 0;
  /** Called when what it holds was given to others before it has arrived. */
  onGivenUp: () => void = () => {};

  constructor(take: (bytes: number) => boolean, give: (bytes: number) => void, leave: () => void) {
    this.#take = take;
    this.#give = give;
    this.#leave = leave;
  }

  /** No if that is more than there is left; then nothing was taken. */
  take(bytes: number): boolean {
    if (!this.#take(bytes)) return false;
    this.#bytes += bytes;
    return true;
  }

  /** Arrived whole: from now on it keeps what it has until it is released. */
  arrived(): void {
    this.#leave();
  }

  giveUp(): void {
    this.release();
    this.onGivenUp();
  }

  /** May be called twice. */
  release(): void {
    this.#leave();
    this.#give(this.#bytes);
    this.#bytes = 0;
  }
}
