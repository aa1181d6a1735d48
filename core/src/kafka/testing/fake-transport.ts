import { setImmediate as turn } from 'node:timers/promises';
import { type ErrorCode, PipelineError } from '../../errors.ts';
import type { BatchOutcome, RecordBatch, RecordTransport, Route } from '../publish/transport.ts';

/** Brokers in memory whose answers the test gives. */
export class FakeTransport implements RecordTransport {
  readonly sends: {
    node: number;
    batches: readonly RecordBatch[];
    answer: PromiseWithResolvers<readonly BatchOutcome[]>;
  }[] = [];
  opens = 0;
  closed = false;
  routes: readonly Route[] = [{ node: 1, partitions: [0, 1, 2] }];
  openError: ErrorCode | undefined;
  #next = 0;

  async open(): Promise<readonly Route[]> {
    this.opens += 1;
    if (this.openError) throw new PipelineError(this.openError, 'retry', 'no');
    return this.routes;
  }

  send(node: number, batches: readonly RecordBatch[]): Promise<readonly BatchOutcome[]> {
    const answer = Promise.withResolvers<readonly BatchOutcome[]>();
    this.sends.push({ node, batches, answer });
    return answer.promise;
  }

  close(): void {
    this.closed = true;
  }

  async sent(count: number): Promise<void> {
    // Waiting for a send that never comes ends with the test's own time-out.
    while (this.sends.length < count) await turn();
    if (this.sends.length > count) throw new Error(`${this.sends.length} sends instead of ${count}`);
  }

  acknowledge(index: number): void {
    const send = this.sends[index];
    send?.answer.resolve(send.batches.map(() => this.#take(send.batches)));
  }

  /** All of it, unless a partition is named. */
  fail(
    index: number,
    { code = 'KAFKA_UNREACHABLE' as ErrorCode, answered = false, partition = -1 } = {},
  ): void {
    const send = this.sends[index];
    const refused = { error: new PipelineError(code, 'retry', 'no'), answered };
    send?.answer.resolve(
      send.batches.map((batch) =>
        partition === -1 || batch.partition === partition ? refused : this.#take(send.batches),
      ),
    );
  }

  nodes(): number[] {
    return this.sends.map(({ node }) => node);
  }

  #take(batches: readonly RecordBatch[]): number {
    const base = this.#next;
    this.#next += batches[0]?.records.length ?? 0;
    return base;
  }
}
