import type { SeenBatch } from '@email-events/schemas';
import type { EventTotals } from './invariants.ts';

/** Totals of `events` out of its changelog: every record says those of its partition so far; barriers say nothing. */
export class SeenTotals {
  readonly #newest = new Map<number, SeenBatch>();

  /** In the order of each partition. */
  add(partition: number, batch: SeenBatch): void {
    if (batch.barrier === null) this.#newest.set(partition, batch);
  }

  sum(): EventTotals {
    const batches = [...this.#newest.values()];
    const sum = (of: (batch: SeenBatch) => number) => batches.reduce((total, batch) => total + of(batch), 0);
    return {
      received: sum(({ received }) => received),
      emitted: sum(({ emitted }) => emitted),
      duplicates: sum(({ duplicates }) => duplicates),
      deadLettered: sum(({ dead_lettered }) => dead_lettered),
    };
  }
}
