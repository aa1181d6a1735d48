import { DELIVERED, PipelineError, type Sink, type SinkBatch, type SinkVerdict } from '@email-events/core';

/** The store behind memory sinks: several members of a group write to one. */
export class MemoryStore {
  /** Values in the order they were written. */
  readonly rows: string[] = [];
  readonly batches = new Set<string>();
}

/** A sink that keeps rows in memory and deduplicates by batch id, as every sink must. Tests break and observe it. */
export class MemorySink implements Sink<string> {
  readonly name = 'memory';
  readonly store: MemoryStore;
  /** Ids of all write calls, in order. */
  readonly attempts: string[] = [];
  largestBatch = 0;
  closed = false;
  /** While set, nothing works. */
  down = false;
  /** Runs around each write: may wait, throw, or do something between the write and its answer. */
  around: (
    write: () => SinkVerdict[],
    batch: SinkBatch<string>,
    signal: AbortSignal,
  ) => Promise<SinkVerdict[]> = async (write) => write();

  constructor(store = new MemoryStore()) {
    this.store = store;
  }

  get rows(): readonly string[] {
    return this.store.rows;
  }

  async check(): Promise<void> {
    this.failIfDown();
  }

  async write(batch: SinkBatch<string>, signal: AbortSignal): Promise<SinkVerdict[]> {
    this.attempts.push(batch.id);
    return this.around(() => this.put(batch), batch, signal);
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  private put(batch: SinkBatch<string>): SinkVerdict[] {
    this.failIfDown();
    const values = batch.records.map(({ value }) => value);
    this.largestBatch = Math.max(this.largestBatch, values.length);
    const verdicts = values.map(
      (value): SinkVerdict =>
        value === null || value.startsWith('refused')
          ? { outcome: 'dead-letter', code: 'MEMORY_REFUSED', message: 'not wanted' }
          : DELIVERED,
    );
    if (this.store.batches.has(batch.id)) return verdicts;
    this.store.batches.add(batch.id);
    for (const [index, value] of values.entries()) {
      if (value !== null && verdicts[index] === DELIVERED) this.store.rows.push(value);
    }
    return verdicts;
  }

  private failIfDown(): void {
    if (this.down) throw new PipelineError('SINK_UNAVAILABLE', 'retry', 'down');
  }
}
