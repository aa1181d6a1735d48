/** Commits a partition's position although there is no record to process. */
export type CommitPosition = (partition: number, nextOffset: number) => Promise<void>;

const WAIT_MS = 500;

/**
 * Moves the committed offset past the markers that transactions leave behind. No consumer is handed them as records, so
 * without this a partition that has gone quiet would show a lag of one for ever. It waits until the partition is quiet:
 * the next batch commits what lies before it anyway.
 */
export class IdleCommits {
  private readonly commit: CommitPosition;
  private readonly waitMs: number;
  private readonly waiting = new Map<number, { nextOffset: number; timer: NodeJS.Timeout }>();

  constructor(commit: CommitPosition, waitMs = WAIT_MS) {
    this.commit = commit;
    this.waitMs = waitMs;
  }

  /** Everything before `nextOffset` is dealt with, and the last fetch held no record. */
  passed(partition: number, nextOffset: number): void {
    const waiting = this.waiting.get(partition);
    if (waiting) {
      waiting.nextOffset = nextOffset;
      return;
    }
    const timer = setTimeout(() => this.due(partition), this.waitMs);
    this.waiting.set(partition, { nextOffset, timer });
  }

  /** The partition has records again, or is somebody else's. */
  forget(partition: number): void {
    clearTimeout(this.waiting.get(partition)?.timer);
    this.waiting.delete(partition);
  }

  forgetAll(): void {
    for (const partition of [...this.waiting.keys()]) this.forget(partition);
  }

  private due(partition: number): void {
    const nextOffset = this.waiting.get(partition)?.nextOffset;
    this.waiting.delete(partition);
    if (nextOffset !== undefined) void this.commit(partition, nextOffset);
  }
}
