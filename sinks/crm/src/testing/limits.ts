/** Counts calls as a vendor does that takes `most` in any `perMs` milliseconds. */
export class CallWindow {
  private readonly most: number;
  private readonly perMs: number;
  private taken: number[] = [];

  constructor(most: number, perMs: number) {
    this.most = most;
    this.perMs = perMs;
  }

  /** Whether it takes one more now. */
  takes(now = Date.now()): boolean {
    this.taken = this.taken.filter((at) => at > now - this.perMs);
    if (this.taken.length >= this.most) return false;
    this.taken.push(now);
    return true;
  }

  get left(): number {
    return this.most - this.taken.length;
  }
}
