import type { ErrorCode, PipelineError } from '../errors.ts';
import { cutSend, type PendingBatch, type PendingRecord, type SendLimits } from './group-commit-batch.ts';
import { failure } from './group-commit-failure.ts';
import type { Published, PublishRecord } from './group-commit-transport.ts';

/** Records that wait to be sent, the oldest first, and the bytes of these and of all that are under way. */
export class WaitingRecords {
  #waiting: PendingRecord[] = [];
  #bytes = 0;

  get size(): number {
    return this.#waiting.length;
  }

  /** Of all that are neither acknowledged nor rejected. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Resolves or rejects once the record is settled. */
  add(record: PublishRecord, bytes: number, deadline: number): Promise<Published> {
    return new Promise((resolve, reject) => {
      this.#bytes += bytes;
      this.#waiting.push({ record, bytes, deadline, resolve, reject, settled: false });
    });
  }

  /** Takes out what fits into one produce request (see cutSend). */
  cut(
    partitions: readonly number[],
    turn: number,
    limits: SendLimits,
    writable: (partition: number) => boolean,
  ): PendingBatch[] {
    const { batches, rest } = cutSend(this.#waiting, partitions, turn, limits, writable);
    this.#waiting = rest;
    return batches;
  }

  /** In front of what came later. */
  putBack(records: readonly PendingRecord[]): void {
    this.#waiting = [...records.filter(({ settled }) => !settled), ...this.#waiting];
  }

  resolve(pending: PendingRecord, published: Published): void {
    if (this.#settle(pending)) pending.resolve(published);
  }

  reject(pending: PendingRecord, error: PipelineError): void {
    if (this.#settle(pending)) pending.reject(error);
  }

  rejectAll(code: ErrorCode): void {
    this.#rejectEach(this.#waiting.splice(0), code);
  }

  /** Those whose time is up. */
  rejectOverdue(now: number): void {
    const first = this.#waiting.findIndex(({ deadline }) => deadline > now);
    this.#rejectEach(this.#waiting.splice(0, first < 0 ? this.size : first), 'KAFKA_PUBLISH_FAILED');
  }

  #rejectEach(records: readonly PendingRecord[], code: ErrorCode): void {
    for (const pending of records) this.reject(pending, failure(code));
  }

  #settle(pending: PendingRecord): boolean {
    if (pending.settled) return false;
    pending.settled = true;
    this.#bytes -= pending.bytes;
    return true;
  }
}
