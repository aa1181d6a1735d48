import { codeOf } from '../../errors.ts';
import type { Logger } from '../../telemetry.ts';
import { type Lane, laneClosed } from './lane.ts';

/** A lane that is being opened, once it is made. */
interface Opening {
  readonly partition: number;
  wanted: boolean;
  lane?: Lane;
}

function abandon(opening: Opening): void {
  if (!opening.wanted) return;
  opening.wanted = false;
  opening.lane?.abandon();
}

/**
 * The lanes of the partitions this member owns. A lane is opened when its partition is assigned, closed when the
 * partition goes to another member, and replaced after a failure.
 */
export class Lanes {
  private readonly opening = new Set<Opening>();
  private readonly make: (partition: number) => Lane;
  private readonly log: Logger;
  private readonly open = new Map<number, Promise<Lane>>();
  /** A partition's new lane waits until the old one has closed its files. */
  private readonly closing = new Map<number, Promise<void>>();

  constructor(make: (partition: number) => Lane, log: Logger) {
    this.make = make;
    this.log = log;
  }

  /** After each rebalance. Opening starts at once, so that state is restored before the first record comes. */
  assign(partitions: readonly number[]): void {
    for (const partition of [...this.open.keys()]) {
      if (!partitions.includes(partition)) void this.drop(partition);
    }
    // A failure shows up again when the first batch asks for the lane.
    for (const partition of partitions) void this.get(partition);
  }

  get(partition: number): Promise<Lane> {
    const existing = this.open.get(partition);
    if (existing) return existing;
    const opened = this.openAfter(partition, this.closing.get(partition));
    // Callers that await the lane see its failure; without any it is no unhandled rejection.
    opened.catch(() => {});
    this.open.set(partition, opened);
    return opened;
  }

  /** The partition's lane if there is one: unlike `get` it opens none, which would fence the partition's owner. */
  existing(partition: number): Promise<Lane> | undefined {
    return this.open.get(partition);
  }

  drop(partition: number): Promise<void> {
    const lane = this.open.get(partition);
    if (!lane) return this.closing.get(partition) ?? Promise.resolve();
    this.open.delete(partition);
    for (const opening of this.opening) if (opening.partition === partition) abandon(opening);
    const closed = lane.then(
      (opened) => this.close(opened),
      () => {},
    );
    this.closing.set(partition, closed);
    return closed;
  }

  isOpening(): boolean {
    return this.opening.size > 0;
  }

  /** Lanes that are being opened fail soon, instead of restoring state to its end. */
  abandonOpening(): void {
    for (const opening of this.opening) abandon(opening);
  }

  /** Also waits for lanes that are closing already. */
  async closeAll(): Promise<void> {
    const closing = [...this.closing.values()];
    await Promise.all([...closing, ...[...this.open.keys()].map((partition) => this.drop(partition))]);
  }

  private async openAfter(partition: number, closed: Promise<void> | undefined): Promise<Lane> {
    const opening: Opening = { partition, wanted: true };
    this.opening.add(opening);
    try {
      await closed;
      if (!opening.wanted) throw laneClosed();
      const lane = this.make(partition);
      opening.lane = lane;
      try {
        await lane.open();
        return lane;
      } catch (error) {
        await this.close(lane);
        throw error;
      }
    } finally {
      this.opening.delete(opening);
    }
  }

  private async close(lane: Lane): Promise<void> {
    await lane
      .close()
      .catch((error) => this.log.warn({ code: codeOf(error) }, 'a lane did not close cleanly'));
  }
}

/** The trouble of each partition now, and how often in a row it has failed. */
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

  /** It works, or is another member's. */
  forget(partition: number): void {
    this.found.delete(partition);
    this.failures.delete(partition);
  }
}

/** Commits a partition's position although there is no record to process. */
type CommitPosition = (partition: number, nextOffset: number) => Promise<void>;

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

  /** The partition has records again, or is another member's. */
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
