import { codeOf } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import { type Lane, letGo } from './lane.ts';

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
 * The lanes of the partitions this member owns. A lane is opened when its partition is assigned, let go of when it is
 * not any more, and replaced after a failure.
 */
export class Lanes {
  private readonly opening = new Set<Opening>();
  private readonly make: (partition: number) => Lane;
  private readonly log: Logger;
  private readonly open = new Map<number, Promise<Lane>>();
  /** A partition's new lane waits until the old one let go of its files. */
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
    // Whoever waits for it sees the failure; nobody else need.
    opened.catch(() => {});
    this.open.set(partition, opened);
    return opened;
  }

  /** The partition's lane if there is one: unlike `get` it opens none, which would fence whoever has the partition. */
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

  /** Nobody waits any more for the lanes that are being opened: they fail soon, instead of restoring state to its end. */
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
      if (!opening.wanted) throw letGo();
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
