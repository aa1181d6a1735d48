import type { Applied, StateStore } from './store.ts';

export interface ReceiverStats {
  /** Calls that were genuine and readable, since the start. received = applied + duplicates + stale. */
  readonly received: number;
  readonly applied: number;
  /** The state that was already held. */
  readonly duplicates: number;
  /** Older than the state held: not applied. */
  readonly stale: number;
  /** Calls refused: signature, or not a state. */
  readonly rejected: number;
  /** Recipients with a state, earlier runs included. */
  readonly distinctRecipients: number;
  /** Of these, those to whom nothing may be sent. */
  readonly suppressed: number;
}

export class Counts {
  private readonly counts = { applied: 0, duplicate: 0, stale: 0, rejected: 0 };

  add(outcome: Applied | 'rejected'): void {
    this.counts[outcome]++;
  }

  stats(store: StateStore): ReceiverStats {
    const { applied, duplicate, stale, rejected } = this.counts;
    let suppressed = 0;
    for (const state of store.all()) if (state.suppressed) suppressed++;
    const received = applied + duplicate + stale;
    const distinctRecipients = store.size;
    return { received, applied, duplicates: duplicate, stale, rejected, distinctRecipients, suppressed };
  }
}
