import { Counter, Gauge, Histogram, type Registry } from '../../metrics.ts';

/** What a transactional loop tells about itself. */
export class LoopMeasures {
  readonly failures: Counter<'code'>;
  readonly halted: Gauge;
  private readonly duration: Histogram;
  private readonly records: Counter;

  constructor(registry: Registry) {
    const registers = [registry];
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
    this.halted = new Gauge({
      name: 'email_events_halted',
      help: '1 while all partitions halt because the work on good records fails, or on records of several sources.',
      registers,
    });
    this.halted.set(0);
  }

  committed(records: number, ms: number): void {
    this.duration.observe(ms / 1_000);
    this.records.inc(records);
  }
}
