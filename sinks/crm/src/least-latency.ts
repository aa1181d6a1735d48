/** It is that of the last minute or two: networks and CRMs change. */
const PERIOD_MS = 60_000;

/** The least time in which calls were answered lately: what one takes longer may be that it came later. Milliseconds. */
export class LeastLatency {
  private before = Number.POSITIVE_INFINITY;
  private current = Number.POSITIVE_INFINITY;
  private since = Number.NEGATIVE_INFINITY;

  note(latencyMs: number, now: number): void {
    if (now - this.since >= PERIOD_MS) {
      this.before = this.current;
      this.current = Number.POSITIVE_INFINITY;
      this.since = now;
    }
    this.current = Math.min(this.current, latencyMs);
  }

  /** Infinite: nothing was answered yet. */
  get least(): number {
    return Math.min(this.before, this.current);
  }
}
