import type { Gauge } from '../../metrics.ts';
import type { OffsetToCommit } from '../consume/membership.ts';
import { keyOf } from '../wire/ask-leaders.ts';
import type { LogBounds, OfPartitions } from '../wire/offsets.ts';
import type { StartingPoint, TopicPartition } from './assignment.ts';

export interface LagWatchOptions {
  readonly gauge: Gauge<'topic' | 'partition'>;
  /** Where the logs begin and end now. */
  bounds(partitions: readonly TopicPartition[]): Promise<OfPartitions<LogBounds>>;
  readonly everyMs?: number;
}

const EVERY_MS = 5_000;

/**
 * Tells for each partition of an assignment how many offsets lie between what is committed and the end of its log. The end is asked
 * for by itself: a lane that waits reads nothing, and what it has read says nothing of what came since.
 */
export class LagWatch {
  private readonly options: LagWatchOptions;
  private readonly partitions: readonly TopicPartition[];
  private readonly committed = new Map<string, number>();
  private readonly timer: NodeJS.Timeout;
  private ended = false;

  constructor(options: LagWatchOptions, points: readonly StartingPoint[]) {
    this.options = options;
    this.partitions = points.map(({ committed: { topic, partition } }) => ({ topic, partition }));
    for (const { committed, bounds } of points) {
      // What nobody has committed begins at its first record; and retention may have been faster.
      this.tell(committed, Math.max(committed.offset ?? bounds.low, bounds.low), bounds.high);
    }
    this.timer = setInterval(() => void this.look(), options.everyMs ?? EVERY_MS).unref();
  }

  /** These offsets are committed now. */
  note(offsets: readonly OffsetToCommit[]): void {
    for (const of of offsets) this.committed.set(keyOf(of), of.offset);
  }

  /** The partitions are somebody else's, who tells about them. */
  end(): void {
    this.ended = true;
    clearInterval(this.timer);
    for (const { topic, partition } of this.partitions) this.options.gauge.remove({ topic, partition });
  }

  async look(): Promise<void> {
    let bounds: OfPartitions<LogBounds>;
    try {
      bounds = await this.options.bounds(this.partitions);
    } catch {
      // What was known stays; that Kafka does not answer is told elsewhere.
      return;
    }
    if (this.ended) return;
    for (const of of this.partitions) {
      const [log, committed] = [bounds.get(keyOf(of)), this.committed.get(keyOf(of))];
      if (log && committed !== undefined) this.tell(of, Math.max(committed, log.low), log.high);
    }
  }

  private tell({ topic, partition }: TopicPartition, committed: number, end: number): void {
    this.committed.set(keyOf({ topic, partition }), committed);
    this.options.gauge.set({ topic, partition }, Math.max(0, end - committed));
  }
}
