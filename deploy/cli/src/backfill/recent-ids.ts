/** Remembers at least the last `size` ids and at most twice as many. */
export class RecentIds {
  private readonly size: number;
  private current = new Set<string>();
  private before = new Set<string>();

  constructor(size: number) {
    this.size = size;
  }

  add(id: string): void {
    this.current.add(id);
    if (this.current.size < this.size) return;
    this.before = this.current;
    this.current = new Set();
  }

  has(id: string): boolean {
    return this.current.has(id) || this.before.has(id);
  }
}
