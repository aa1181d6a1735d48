import { Counter, Gauge, Histogram, type Registry } from '../../metrics.ts';

/** What a transactional loop tells about itself. */
export class LoopMeasures {
  readonly failures: Counter<'code'>;
  private readonly topic: string;
  private readonly lag: Gauge<'topic' | 'partition'>;
  private readonly duration: Histogram;
  private readonly records: Counter;

  constructor(registry: Registry, topic: string) {
    const registers = [registry];
    this.topic = topic;
    this.lag = new Gauge({
      name: 'email_events_consumer_lag',
      help: 'Offsets between the last committed batch and the end of the partition, of the partitions this instance has.',
      labelNames: ['topic', 'partition'],
      registers,
    });
    this.duration = new Histogram({
      name: 'email_events_transaction_seconds',
      help: 'Time from a batch of records to its committed transaction; its count is the number of transactions.',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60],
      registers,
    });
    this.records = new Counter({
      name: 'email_events_consumed_records_total',
      help: 'Records consumed and committed.',
      registers,
    });
    this.failures = new Counter({
      name: 'email_events_transaction_failures_total',
      help: 'Transactions that failed and were tried again, by code.',
      labelNames: ['code'],
      registers,
    });
  }

  committed(records: number, startedMs: number): void {
    this.duration.observe((performance.now() - startedMs) / 1_000);
    this.records.inc(records);
  }

  behind(partition: number, offsets: number): void {
    this.lag.set({ topic: this.topic, partition }, Math.max(0, offsets));
  }

  /** The partition is another instance's now, which tells about it. */
  forget(partition: number): void {
    this.lag.remove({ topic: this.topic, partition });
  }
}
