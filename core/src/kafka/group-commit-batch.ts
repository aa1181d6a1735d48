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

/** Takes what fits into one produce request off the front of the queue: a batch for each partition from `turn` on. */
export function cutSend(
  waiting: PendingRecord[],
  partitions: readonly number[],
  turn: number,
  limits: SendLimits,
): { batches: PendingBatch[]; rest: PendingRecord[] } {
  const batches: PendingBatch[] = [];
  let next = 0;
  const end = Math.min(waiting.length, limits.records);
  while (next < end && batches.length < Math.min(MAX_BATCHES, partitions.length)) {
    const partition = partitions[(turn + batches.length) % partitions.length] ?? 0;
    const start = next;
    let bytes = 0;
    for (; next < end; next++) {
      const size = waiting[next]?.bytes ?? 0;
      if (next > start && bytes + size > limits.batchBytes) break;
      bytes += size;
    }
    batches.push({ partition, records: waiting.slice(start, next) });
  }
  return { batches, rest: waiting.slice(next) };
}
