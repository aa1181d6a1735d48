import { Gauge, type Registry } from '../../metrics.ts';
import type { PlaceState } from '../consume/fetcher.ts';
import { keyOf, type TopicPartition } from '../wire/ask-leaders.ts';
import type { OfPartitions } from '../wire/offsets.ts';

export interface LagOptions {
  readonly topic: string;
  /** What is being read, and where it ends. */
  readonly places: () => readonly PlaceState[];
  /** Asks the brokers where partitions end: behind everything that is acknowledged. */
  readonly ends: (partitions: readonly TopicPartition[]) => Promise<OfPartitions<number>>;
  readonly metrics: Registry;
}

/** Ends of partitions that nobody reads for now are asked for so often. */
const ASK_MS = 5_000;

/**
 * How far this instance is behind on the partitions it has: from what is committed to the end of the partition, whether
 * anything of it is committed, processed or read at present or not. A partition that stands still shows a lag that grows.
 */
export class Lag {
  private readonly options: LagOptions;
  private readonly positions = new Map<number, number>();
  private readonly asked = new Map<number, number>();
  private readonly timer: NodeJS.Timeout;
  private asking = false;

  constructor(options: LagOptions) {
    this.options = options;
    const update = (gauge: Gauge<'topic' | 'partition'>) => this.tell(gauge);
    new Gauge({
      name: 'email_events_consumer_lag',
      help: 'Offsets between what is committed and the end of the partition, of the partitions this instance has.',
      labelNames: ['topic', 'partition'],
      registers: [options.metrics],
      collect() {
        update(this);
      },
    });
    this.timer = setInterval(() => void this.ask(), ASK_MS).unref();
  }

  /** Everything before this offset is committed. */
  committed(partition: number, position: number): void {
    this.positions.set(partition, position);
  }

  /** The partition is another instance's now, which tells about it. */
  forget(partition: number): void {
    this.positions.delete(partition);
    this.asked.delete(partition);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Offsets behind, by partition; nothing of one whose position or end is not known yet. */
  behind(): ReadonlyMap<number, number> {
    const ends = new Map(this.asked);
    for (const { partition, end } of this.options.places())
      if (end !== undefined) ends.set(partition, Math.max(end, ends.get(partition) ?? end));
    return new Map(
      [...this.positions].flatMap(([partition, position]) => {
        const end = ends.get(partition);
        return end === undefined ? [] : [[partition, Math.max(0, end - position)] as const];
      }),
    );
  }

  /** What is being fetched tells its end by itself. */
  async ask(): Promise<void> {
    const { topic, places, ends } = this.options;
    const fetched = new Set(places().flatMap(({ partition, waiting }) => (waiting ? [] : [partition])));
    const silent = [...this.positions.keys()].filter((partition) => !fetched.has(partition));
    if (this.asking || silent.length === 0) return;
    this.asking = true;
    try {
      const found = await ends(silent.map((partition) => ({ topic, partition })));
      for (const partition of silent) {
        const end = found.get(keyOf({ topic, partition }));
        if (end !== undefined && this.positions.has(partition)) this.asked.set(partition, end);
      }
    } catch {
      // Nobody answers, which others tell; what was known last is still the least.
    } finally {
      this.asking = false;
    }
  }

  private tell(gauge: Gauge<'topic' | 'partition'>): void {
    const { topic } = this.options;
    gauge.reset();
    for (const [partition, offsets] of this.behind()) gauge.set({ topic, partition }, offsets);
  }
}
