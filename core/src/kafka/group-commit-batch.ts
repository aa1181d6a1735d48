import type { PipelineError } from '../errors.ts';
import type { Published, PublishRecord } from './group-commit-transport.ts';

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

export interface SendLimits {
  /** Of each batch; a record larger than that is a batch of its own. */
  readonly batchBytes: number;
  /** Of the whole request. */
  readonly records: number;
}

/**
 * Takes what fits into one produce request off the queue: a batch for each partition from `turn` on. A record that belongs to a
 * partition goes there, or stays where another broker leads that one; if nobody can write there (`writable`), it goes anywhere.
 */
export function cutSend(
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
