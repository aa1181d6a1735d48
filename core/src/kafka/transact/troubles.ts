/** What is wrong with each partition now, and how often in a row it has failed. */
export class Troubles {
  private readonly found = new Map<number, string>();
  private readonly failures = new Map<number, number>();

  /** Code by partition. */
  get codes(): ReadonlyMap<number, string> {
    return this.found;
  }

  /** Returns how often it has failed before, since it last worked. */
  failed(partition: number, code: string): number {
    const before = this.failures.get(partition) ?? 0;
    this.failures.set(partition, before + 1);
    this.found.set(partition, code);
    return before;
  }

  /** It may work now; whether it does, its next batch shows. */
  opened(partition: number): void {
    this.found.delete(partition);
  }

  /** It works, or is somebody else's. */
  forget(partition: number): void {
    this.found.delete(partition);
    this.failures.delete(partition);
  }
}
