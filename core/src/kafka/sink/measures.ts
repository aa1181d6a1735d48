import { Counter, Gauge, Histogram, type Registry } from '../../metrics.ts';

/** What a sink says about itself. */
export type SinkMeasures = ReturnType<typeof sinkMeasures>;

export function sinkMeasures(registry: Registry) {
  const registers = [registry];
  return {
    records: new Counter({
      name: 'email_events_sink_records_total',
      help: 'Records that are done with, by outcome: delivered or dead-lettered.',
      labelNames: ['topic', 'outcome'] as const,
      registers,
    }),
    retries: new Counter({
      name: 'email_events_sink_retries_total',
      help: 'Writes that have to be tried again, by code.',
      labelNames: ['code'] as const,
      registers,
    }),
    redone: new Counter({
      name: 'email_events_sink_redone_batches_total',
      help: 'Batches that an earlier owner of the lane had announced and that were written again.',
      registers,
    }),
    batchRecords: new Histogram({
      name: 'email_events_sink_batch_records',
      help: 'Records a write.',
      buckets: [1, 10, 100, 1_000, 2_000, 5_000, 10_000, 20_000],
      registers,
    }),
    writeSeconds: new Histogram({
      name: 'email_events_sink_write_seconds',
      help: 'Duration of a write.',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    }),
    ageSeconds: new Histogram({
      name: 'email_events_sink_record_age_seconds',
      help: 'Age of the oldest record of a write when it is done: how fresh the target is.',
      buckets: [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3_600],
      registers,
    }),
    buffered: new Gauge({
      name: 'email_events_sink_buffered_records',
      help: 'Records that are read and not yet written.',
      registers,
    }),
    lag: new Gauge({
      name: 'email_events_consumer_lag',
      help: 'Offsets between what is committed and the end of the partition, of the partitions this instance has.',
      labelNames: ['topic', 'partition'] as const,
      registers,
    }),
  };
}
