/** When requests are to be sent, whatever becomes of those before: at equal distances. */
export class Schedule {
  /** Requests that are to be sent by the end. */
  readonly total: number;
  private readonly everyMs: number;
  private taken = 0;

  constructor(perSecond: number, seconds: number) {
    this.everyMs = 1_000 / perSecond;
    this.total = Math.floor(perSecond * seconds);
  }

  /** Milliseconds from the beginning at which request number n is due. */
  dueAt(n: number): number {
    return n * this.everyMs;
  }

  /** The number of the next request if it is due by this time, and as if it had been begun; else undefined. */
  take(nowMs: number): number | undefined {
    if (this.taken >= this.total || this.dueAt(this.taken) > nowMs) return undefined;
    return this.taken++;
  }

  get isOver(): boolean {
    return this.taken >= this.total;
  }

  /** Milliseconds until the next one is due. */
  wait(nowMs: number): number {
    return this.dueAt(this.taken) - nowMs;
  }
}
