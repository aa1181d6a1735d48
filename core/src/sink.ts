/**
 * Where typed records go: a database, a CRM. One package each; the runner in core does the rest.
 * A sink never sees an offset, never retries by itself and never commits.
 */
export interface Sink<R> {
  readonly name: string;
  /** Imitates a real write without leaving a trace. Throws if the sink cannot work now. Called at start and by readiness. */
  check(signal: AbortSignal): Promise<void>;
  /**
   * Writes a batch and says what became of each record, in the same order.
   * Called again with the same batch (same id, same records) after a crash or a `retry` verdict, so it must be idempotent
   * by `batch.id` or by record. Throws only when nothing is known about any record: the runner retries the whole batch.
   */
  write(batch: SinkBatch<R>, signal: AbortSignal): Promise<readonly SinkVerdict[]>;
  /** Lets go of connections. No write is under way and none follows. */
  close(): Promise<void>;
}

export interface SinkBatch<R> {
  /** The same for every attempt to write these records, on every instance, and for no other records. */
  readonly id: string;
  readonly records: readonly SinkRecord<R>[];
}

export interface SinkRecord<R> {
  readonly topic: string;
  readonly key: string | null;
  /** Null: a tombstone. */
  readonly value: R | null;
  /** Epoch milliseconds. */
  readonly timestamp: number;
  /** How often this record was tried before, from 0. */
  readonly attempts: number;
}

export type SinkVerdict =
  | { readonly outcome: 'delivered' }
  /** Try again: after this long, or when the runner sees fit. Everything behind it in its lane waits. */
  | { readonly outcome: 'retry'; readonly code: string; readonly afterMs?: number }
  /** This record can never be written. */
  | { readonly outcome: 'dead-letter'; readonly code: string; readonly message: string };

export const DELIVERED: SinkVerdict = { outcome: 'delivered' };
