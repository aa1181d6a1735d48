import { PipelineError } from '../../errors.ts';
import type { OnRecords } from '../transact/stage.ts';
import type { Brokers } from '../wire/brokers.ts';
import { Fetcher } from './fetcher.ts';

export interface PartitionRead {
  readonly topic: string;
  readonly partition: number;
  readonly fromOffset: number;
  /** Takes the next records; true when it has all it wants. */
  readonly onRecords: OnRecords;
  /** Longest silence before it counts as failed. Milliseconds. */
  readonly idleMs: number;
  readonly requestTimeoutMs: number;
}

const MAX_WAIT_MS = 500;
const MAX_BYTES = 8 * 1_048_576;

/**
 * Reads committed records of one partition in order until `onRecords` has all it wants.
 * Throws STATE_RESTORE_FAILED when nothing comes for too long, or what `onRecords` throws.
 */
export async function readPartition(brokers: Brokers, read: PartitionRead): Promise<void> {
  const { topic, partition, fromOffset, onRecords, idleMs, requestTimeoutMs } = read;
  const over = new AbortController();
  let silentSince = performance.now();
  let atWork = false;
  const fetcher = new Fetcher({
    brokers,
    requestTimeoutMs,
    ...{ minBytes: 1, maxWaitMs: MAX_WAIT_MS, maxBytesPerPartition: MAX_BYTES, concurrency: 1 },
    onBatch: async ({ records }) => {
      silentSince = performance.now();
      if (records.length === 0 || over.signal.aborted) return;
      atWork = true;
      try {
        if (await onRecords(records)) over.abort();
      } finally {
        atWork = false;
        silentSince = performance.now();
      }
    },
    // A changelog whose beginning has expired is read from where it begins now.
  });
  fetcher.begin({ topic, partition }, fromOffset);
  let silent = false;
  const watch = setInterval(
    () => {
      if (atWork || performance.now() - silentSince <= idleMs) return;
      silent = true;
      over.abort();
    },
    Math.min(200, idleMs / 2),
  );
  try {
    await fetcher.run(over.signal);
  } finally {
    clearInterval(watch);
  }
  if (silent) {
    const nothing = `${topic}/${partition}: nothing read for ${idleMs} ms`;
    throw new PipelineError('STATE_RESTORE_FAILED', 'retry', nothing);
  }
}
