import { type ErrorCode, PipelineError } from '../../errors.ts';
import type { Published, PublishRecord } from './transport.ts';

/** A record that was handed over and not yet answered. */
export interface PendingRecord {
  readonly record: PublishRecord;
  readonly bytes: number;
  /** On the clock of `performance.now()`. */
  readonly deadline: number;
  readonly resolve: (published: Published) => void;
  readonly reject: (error: PipelineError) => void;
  settled: boolean;
}

export interface PendingBatch {
  readonly partition: number;
  readonly records: PendingRecord[];
}

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

const RECORD_OVERHEAD = 40;
const HEADER_OVERHEAD = 10;
/** One produce request: bounded even when the topic has many partitions. */
const MAX_BATCHES = 4;

/** Upper bound of what a record takes on the wire. */
export function sizeOf({ value, headers }: PublishRecord): number {
  let bytes = value.length + RECORD_OVERHEAD;
  for (const name in headers) bytes += name.length + (headers[name]?.length ?? 0) + HEADER_OVERHEAD;
  return bytes;
}

interface SendLimits {
  /** Of each batch; a record larger than that is a batch alone. */
  readonly batchBytes: number;
  /** Of the whole request. */
  readonly records: number;
}

/**
 * Takes as many records off the queue as fit into one produce request: a batch for each partition from `turn` on. A record that belongs
 * to a partition goes there, or stays where another broker leads that one; if no broker takes records for it (`writable`), it goes
 * anywhere.
 */
function cutSend(
  waiting: readonly PendingRecord[],
  partitions: readonly number[],
  turn: number,
  limits: SendLimits,
  writable: (partition: number) => boolean = () => false,
): { batches: PendingBatch[]; rest: PendingRecord[] } {
  if (partitions.length === 0) return { batches: [], rest: [...waiting] };
  const filling = new Filling(limits);
  const rest: PendingRecord[] = [];
  let shift = 0;
  let isFull = false;
  const inTurn = () => partitions[(turn + shift) % partitions.length] as number;
  for (const pending of waiting) {
    const { partition } = pending.record;
    let fits: boolean;
    if (partition !== undefined && writable(partition)) {
      fits = partitions.includes(partition) && filling.put(partition, pending);
    } else {
      fits = !isFull && filling.put(inTurn(), pending);
      while (!fits && !isFull) {
        isFull = filling.isFull || ++shift >= partitions.length;
        fits = !isFull && filling.put(inTurn(), pending);
      }
    }
    if (!fits) rest.push(pending);
  }
  return { batches: filling.batches(), rest };
}

/** The batches of one produce request, one a partition. */
class Filling {
  private readonly limits: SendLimits;
  private readonly byPartition = new Map<number, { bytes: number; records: PendingRecord[] }>();
  private records = 0;

  constructor(limits: SendLimits) {
    this.limits = limits;
  }

  get isFull(): boolean {
    return this.records >= this.limits.records;
  }

  /** No if there is no room for it. */
  put(partition: number, pending: PendingRecord): boolean {
    if (this.isFull) return false;
    const batch = this.byPartition.get(partition);
    if (!batch) {
      if (this.byPartition.size >= MAX_BATCHES) return false;
      this.byPartition.set(partition, { bytes: pending.bytes, records: [pending] });
    } else {
      if (batch.bytes + pending.bytes > this.limits.batchBytes) return false;
      batch.bytes += pending.bytes;
      batch.records.push(pending);
    }
    this.records++;
    return true;
  }

  batches(): PendingBatch[] {
    return [...this.byPartition].map(([partition, { records }]) => ({ partition, records }));
  }
}

/** A record was not published; it may be there all the same. */
export function failure(code: ErrorCode, cause?: unknown): PipelineError {
  return new PipelineError(
    code,
    'retry',
    'the record was not published',
    cause === undefined ? {} : { cause },
  );
}

/** Rejects with KAFKA_UNREACHABLE after so long. */
export function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(failure('KAFKA_UNREACHABLE')), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
