import { Gauge, type Registry } from '../../telemetry.ts';
import { type ByPartition, keyOf, type LogBounds, type TopicPartition } from '../client/offsets.ts';
import type { PlaceState } from './fetcher.ts';

export interface LagOptions {
  /** The partitions that are being read, and the ends that their fetches brought. */
  readonly places: () => readonly PlaceState[];
  /** Asks the brokers where partitions begin, and where they end: behind everything that is acknowledged. */
  readonly bounds: (partitions: readonly TopicPartition[]) => Promise<ByPartition<LogBounds>>;
  readonly metrics: Registry;
}

interface Position extends TopicPartition {
  /** Everything before it is committed, or was removed. */
  readonly committed: number;
}

/** One name for all who read, so that one rule watches all. */
export const LAG_HELP =
  'Offsets between what is done with and the end of the partition, of the partitions this instance has; of look-ups, of all together.';

/** Ends of partitions that are not being read are asked for so often. */
const ASK_MS = 5_000;

/**
 * How far this instance is behind on the partitions it has: from the committed offset to the end of the partition, whether it is
 * being read, processed and committed at present or not. A partition that stands still shows a lag that grows.
 */
export class Lag {
  private readonly options: LagOptions;
  private readonly positions = new Map<string, Position>();
  private readonly ends = new Map<string, number>();
  private readonly timer: NodeJS.Timeout;
  private asking = false;

  constructor(options: LagOptions) {
    this.options = options;
    const update = (gauge: Gauge<'topic' | 'partition'>) => this.report(gauge);
    new Gauge({
      name: 'email_events_consumer_lag',
      help: LAG_HELP,
      labelNames: ['topic', 'partition'],
      registers: [options.metrics],
      collect() {
        update(this);
      },
    });
    this.timer = setInterval(() => void this.ask(), ASK_MS).unref();
  }

  /** Everything before this offset is committed. */
  committed({ topic, partition }: TopicPartition, offset: number): void {
    this.positions.set(keyOf({ topic, partition }), { topic, partition, committed: offset });
  }

  /** The log begins and ends there. What was removed before it was committed is no lag. */
  seen(at: TopicPartition, { low, high }: LogBounds): void {
    const committed = this.positions.get(keyOf(at))?.committed;
    this.committed(at, Math.max(committed ?? low, low));
    this.ends.set(keyOf(at), high);
  }

  /** The partition is another instance's now, which reports its lag. */
  forget(at: TopicPartition): void {
    this.positions.delete(keyOf(at));
    this.ends.delete(keyOf(at));
  }

  forgetAll(): void {
    for (const at of [...this.positions.values()]) this.forget(at);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Offsets behind, by partition; nothing of one whose position or end is not known yet. */
  behind(): (TopicPartition & { readonly offsets: number })[] {
    const ends = new Map(this.ends);
    for (const place of this.options.places()) {
      const { end } = place;
      if (end !== undefined) ends.set(keyOf(place), Math.max(end, ends.get(keyOf(place)) ?? end));
    }
    return [...this.positions.values()].flatMap(({ topic, partition, committed }) => {
      const end = ends.get(keyOf({ topic, partition }));
      return end === undefined ? [] : [{ topic, partition, offsets: Math.max(0, end - committed) }];
    });
  }

  /** Of partitions that are not being fetched: a fetch brings the end with it. */
  async ask(): Promise<void> {
    const { places, bounds } = this.options;
    const fetched = new Set(places().flatMap((place) => (place.waiting ? [] : [keyOf(place)])));
    const silent = [...this.positions.values()].filter((at) => !fetched.has(keyOf(at)));
    if (this.asking || silent.length === 0) return;
    this.asking = true;
    try {
      const found = await bounds(silent.map(({ topic, partition }) => ({ topic, partition })));
      for (const at of silent) {
        const log = found.get(keyOf(at));
        if (log && this.positions.has(keyOf(at))) this.seen(at, log);
      }
    } catch {
      // No broker answers, which readiness reports; the last known end is still a lower bound.
    } finally {
      this.asking = false;
    }
  }

  private report(gauge: Gauge<'topic' | 'partition'>): void {
    gauge.reset();
    for (const { topic, partition, offsets } of this.behind()) gauge.set({ topic, partition }, offsets);
  }
}
