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
      // Retention may have been faster.
      this.committed.set(keyOf(committed), Math.max(committed.offset ?? 0, bounds.low));
      this.set(committed, bounds.high);
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
      const log = bounds.get(keyOf(of));
      if (!log) continue;
      this.committed.set(keyOf(of), Math.max(this.committed.get(keyOf(of)) ?? 0, log.low));
      this.set(of, log.high);
    }
  }

  private set(of: TopicPartition, end: number): void {
    const { topic, partition } = of;
    const lag = Math.max(0, end - (this.committed.get(keyOf(of)) ?? 0));
    this.options.gauge.set({ topic, partition }, lag);
  }
}
