import { randomUUID } from 'node:crypto';
import { type InputRecord, type OutputRecord, type OwnedPartition, PipelineError } from '@email-events/core';
import {
  type Decoder,
  type Encoder,
  type RecipientState,
  type SeenBatch,
  topics,
} from '@email-events/schemas';
import { NO_STATE } from '../events/suppress.ts';
import type { PartitionStore, StoreChange, Totals } from './partition-store.ts';

/** Reads and writes the two changelogs of the state of `events`. */
export interface ChangelogCodec {
  readonly seen: { readonly encoder: Encoder<SeenBatch>; readonly decoder: Decoder<SeenBatch> };
  readonly recipientState: {
    readonly encoder: Encoder<RecipientState>;
    readonly decoder: Decoder<RecipientState>;
  };
}

/** Recipient keys are lower case, so compaction cannot take this for one. */
const BARRIER_KEY = '__BARRIER';
/** Records applied to the store at a time while it is restored. */
const CHUNK_RECORDS = 500;

/**
 * Brings the store up to the end of its changelogs. The end is marked by a barrier record of our own, written after
 * earlier owners were fenced: nothing can come before it any more, and reading up to it leaves nothing out.
 * Returns the number of records read.
 */
export async function restore(
  store: PartitionStore,
  owned: OwnedPartition,
  codec: ChangelogCodec,
  now: number,
): Promise<number> {
  const barrier = randomUUID();
  const lastOffset = await owned.write(barrierRecords(barrier, owned.partition, codec));
  const ends = {
    seen: lastOffset(topics.seen, owned.partition) ?? 0,
    recipientState: lastOffset(topics.recipientState, owned.partition) ?? 0,
  };
  if (store.positions.seen > ends.seen || store.positions.recipientState > ends.recipientState) {
    throw new PipelineError(
      'STATE_UNUSABLE',
      'retry',
      'the store is ahead of its changelog: it mirrors another topic',
    );
  }
  let read = 0;
  if (!isUpToDate(store.positions.seen, ends.seen))
    read += await restoreSeen(store, owned, codec, barrier, now);
  if (!isUpToDate(store.positions.recipientState, ends.recipientState)) {
    read += await restoreRecipients(store, owned, codec, barrier);
  }
  store.apply({ ...unchanged(store), to: ends });
  return read;
}

/**
 * Between the last applied record and the barrier lies the commit marker of the former's transaction and nothing else.
 * (Anything further, even an aborted transaction, is read the long way.)
 */
const isUpToDate = (position: number, end: number) => (position === -1 ? end === 0 : end === position + 2);

function barrierRecords(barrier: string, partition: number, codec: ChangelogCodec): OutputRecord[] {
  const seen: SeenBatch = {
    ids: Buffer.alloc(0),
    seen_at: 0,
    received: 0,
    emitted: 0,
    duplicates: 0,
    dead_lettered: 0,
    barrier,
  };
  const state = { ...NO_STATE, barrier };
  return [
    { topic: topics.seen, partition, key: BARRIER_KEY, value: codec.seen.encoder.encode(seen) },
    {
      topic: topics.recipientState,
      partition,
      key: BARRIER_KEY,
      value: codec.recipientState.encoder.encode(state),
    },
  ];
}

async function restoreSeen(
  store: PartitionStore,
  owned: OwnedPartition,
  { seen: { decoder } }: ChangelogCodec,
  barrier: string,
  now: number,
): Promise<number> {
  let ids: { seenAt: number; bytes: Buffer }[] = [];
  let totals: Totals = store.totals;
  const flush = (position: number) => {
    store.apply({ ...unchanged(store), to: { ...store.positions, seen: position }, totals, ids });
    ids = [];
  };
  return readDecoded(owned, topics.seen, store.positions.seen + 1, decoder, (record, batch) => {
    if (batch.barrier === null) {
      totals = totalsOf(batch);
      // Retention deletes whole segments, so the topic may hold ids from long before the window.
      if (batch.ids.length > 0 && !store.isExpired(batch.seen_at, now))
        ids.push({ seenAt: batch.seen_at, bytes: batch.ids });
    }
    const last = batch.barrier === barrier;
    if (last || ids.length >= CHUNK_RECORDS) flush(record.offset);
    return last;
  });
}

async function restoreRecipients(
  store: PartitionStore,
  owned: OwnedPartition,
  { recipientState: { decoder } }: ChangelogCodec,
  barrier: string,
): Promise<number> {
  let recipients = new Map<string, RecipientState>();
  const from = store.positions.recipientState + 1;
  return readDecoded(owned, topics.recipientState, from, decoder, (record, state) => {
    if (state.barrier === null && record.key) recipients.set(record.key.toString(), state);
    const last = state.barrier === barrier;
    if (last || recipients.size >= CHUNK_RECORDS) {
      store.apply({
        ...unchanged(store),
        to: { ...store.positions, recipientState: record.offset },
        recipients,
      });
      recipients = new Map();
    }
    return last;
  });
}

async function readDecoded<T>(
  owned: OwnedPartition,
  topic: string,
  fromOffset: number,
  decoder: Decoder<T>,
  onValue: (record: InputRecord, value: T) => boolean,
): Promise<number> {
  let read = 0;
  await owned.read(topic, owned.partition, fromOffset, async (records) => {
    await decoder.load(records.flatMap(({ value }) => value ?? []));
    read += records.length;
    return records.some((record) => record.value !== null && onValue(record, decoder.decode(record.value)));
  });
  return read;
}

export function totalsOf(batch: SeenBatch): Totals {
  const { received, emitted, duplicates, dead_lettered } = batch;
  return { received, emitted, duplicates, deadLettered: dead_lettered };
}

function unchanged(store: PartitionStore): StoreChange {
  const { positions, totals } = store;
  return { from: positions, to: positions, totals, ids: [], recipients: new Map() };
}
