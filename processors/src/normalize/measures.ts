import { Counter, Gauge, type Registry } from '@email-events/core';
import type { Counts } from './counts.ts';

/** Measured of a partition of email.raw while this instance has it. */
export interface CountedStage {
  readonly partition: number;
  readonly counts: Counts;
}

/**
 * Counts of the partitions that this instance has, as they are committed: another instance, or the same after a restart, goes on with
 * them. Read off the open stages when they are scraped, so sums over instances are right.
 */
export function measureNormalize(metrics: Registry): { readonly openStages: Set<CountedStage> } {
  const openStages = new Set<CountedStage>();
  new Counter({
    name: 'email_events_normalize_requests_total',
    help: 'Requests that were read of email.raw by partition and source since these are counted: written by the ingress, or put back by an operator.',
    labelNames: ['partition', 'source', 'via'],
    registers: [metrics],
    collect() {
      this.reset();
      for (const { partition, counts } of openStages) {
        for (const [source, { requests, putBack }] of counts.sources) {
          this.inc({ partition, source, via: 'ingress' }, requests);
          this.inc({ partition, source, via: 'replay' }, putBack);
        }
      }
    },
  });
  new Counter({
    name: 'email_events_normalize_items_total',
    help: 'Events made of requests, and items of requests that are dead letters, by partition and source since these are counted.',
    labelNames: ['partition', 'source', 'result'],
    registers: [metrics],
    collect() {
      this.reset();
      for (const { partition, counts } of openStages) {
        for (const [source, { normalized, refused }] of counts.sources) {
          this.inc({ partition, source, result: 'normalized' }, normalized);
          this.inc({ partition, source, result: 'dead_letter' }, refused);
        }
      }
    },
  });
  new Gauge({
    name: 'email_events_normalize_counted_since_seconds',
    help: 'When the counting of a partition began, in epoch seconds: 0 with its first record, else with the first version that counts, or where another tool moved the position.',
    labelNames: ['partition'],
    registers: [metrics],
    collect() {
      this.reset();
      for (const { partition, counts } of openStages) this.set({ partition }, counts.since);
    },
  });
  return { openStages };
}
