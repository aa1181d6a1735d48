import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type InputRecord, type OutputRecord, type OwnedPartition, PipelineError } from '@email-events/core';
import {
  type Decoder,
  type Encoder,
  type RecipientState,
  type SeenBatch,
  topics,
} from '@email-events/schemas';
import { NO_STATE } from '../suppression/accounts.ts';
import { IdRun } from './id-run.ts';
import type { PartitionStore, StoreChange, Totals } from './partition-store.ts';

/** Reads and writes the two changelogs of the state of `events`. */
export interface ChangelogCodec {
  readonly seen: { readonly encoder: Encoder<SeenBatch>; readonly decoder: Decoder<SeenBatch> };
  readonly recipientState: {
    readonly encoder: Encoder<RecipientState>;
    readonly decoder: Decoder<RecipientState>;
  };
}

/** How far a restore is. */
export interface RestoreProgress {
  /** Records read so far. */
  readonly records: number;
  /** Offsets of both changelogs that are still to be read; markers and what compaction removed count too. */
  readonly remaining: number;
}

interface RestoreOptions {
  /** Decides what has expired. Epoch milliseconds. */
  readonly now: number;
  readonly onProgress?: (progress: RestoreProgress) => void;
  /** Runs the reading when it is its turn; at once if absent. */
  readonly inTurn?: (work: () => Promise<void>) => Promise<void>;
  /** Ids that come together before they are put into the store. */
  readonly runIds?: number;
}

/** Recipient keys are lower case, so compaction cannot take this for one. */
const BARRIER_KEY = '__BARRIER';
/** Recipients applied at a time while the store is restored, and how many of them before others get a turn. */
const RUN_RECIPIENTS = 50_000;
const SLICE_RECIPIENTS = 2_000;

/**
 * Brings the store up to the end of its changelogs. The end is marked by a barrier record that this instance writes after
 * it has fenced earlier owners: nothing can come before it any more, and reading up to it leaves nothing out.
 * Returns the number of records read. Only once it has returned may the store be asked anything: on the way it holds
 * parts of what lies behind its position, which is where a restore that was cut short goes on.
 */
export async function restore(
  store: PartitionStore,
  owned: OwnedPartition,
  codec: ChangelogCodec,
  { now, onProgress = () => {}, inTurn = (work) => work(), runIds }: RestoreOptions,
): Promise<number> {
  const barrier = randomUUID();
  const lastOffset = await owned.write(barrierRecords(barrier, owned.partition, codec));
  const ends = {
    seen: lastOffset(topics.seen, owned.partition),
    recipientState: lastOffset(topics.recipientState, owned.partition),
  };
  if (store.positions.seen > ends.seen || store.positions.recipientState > ends.recipientState) {
    throw new PipelineError(
      'STATE_UNUSABLE',
      'retry',
      'the store is ahead of its changelog: it mirrors another topic',
    );
  }
  const run = new Restore(store, owned, codec, { barrier, ends, now, onProgress, runIds });
  const stale = {
    seen: !isUpToDate(store.positions.seen, ends.seen),
    recipients: !isUpToDate(store.positions.recipientState, ends.recipientState),
  };
  if (stale.seen || stale.recipients) {
    await inTurn(async () => {
      if (stale.seen) await run.seen();
      if (stale.recipients) await run.recipients();
    });
  }
  store.apply({ ...unchanged(store), to: ends });
  return run.read;
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
    erased: 0,
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

interface RestoreSettings {
  readonly barrier: string;
  readonly ends: { readonly seen: number; readonly recipientState: number };
  readonly now: number;
  readonly onProgress: (progress: RestoreProgress) => void;
  readonly runIds: number | undefined;
}

/** One restore. What it reads comes together in runs, which are put in order of the store; the position moves last. */
class Restore {
  read = 0;
  private readonly store: PartitionStore;
  private readonly owned: OwnedPartition;
  private readonly codec: ChangelogCodec;
  private readonly settings: RestoreSettings;
  /** Next offsets to be read. */
  private readonly next: { seen: number; recipientState: number };

  constructor(
    store: PartitionStore,
    owned: OwnedPartition,
    codec: ChangelogCodec,
    settings: RestoreSettings,
  ) {
    this.store = store;
    this.owned = owned;
    this.codec = codec;
    this.settings = settings;
    const { seen, recipientState } = store.positions;
    this.next = { seen: seen + 1, recipientState: recipientState + 1 };
  }

  async seen(): Promise<void> {
    const { store } = this;
    const { now, barrier, runIds } = this.settings;
    const newRun = () => new IdRun((seenAt) => store.bucketOf(seenAt), runIds);
    let run = newRun();
    let totals: Totals = store.totals;
    await this.follow('seen', topics.seen, this.codec.seen.decoder, async ({ offset }, batch) => {
      if (batch === null) return false;
      if (batch.barrier === null) {
        totals = totalsOf(batch);
        // Retention deletes whole segments, so the topic may hold ids from long before the window.
        if (batch.ids.length > 0 && !store.isExpired(batch.seen_at, now)) run.add(batch.seen_at, batch.ids);
      }
      const last = batch.barrier === barrier;
      if (!last && !run.isFull) return false;
      for (const ids of run.slices()) {
        store.apply({ ...unchanged(store), ids: [ids] });
        await nextTurn();
      }
      run = newRun();
      store.apply({ ...unchanged(store), to: { ...store.positions, seen: offset }, totals });
      return last;
    });
  }

  async recipients(): Promise<void> {
    const { store } = this;
    const { barrier } = this.settings;
    let recipients = new Map<string, RecipientState | null>();
    const { decoder } = this.codec.recipientState;
    await this.follow('recipientState', topics.recipientState, decoder, async ({ key, offset }, state) => {
      if (key && (state === null || state.barrier === null)) recipients.set(key.toString(), state);
      const last = state?.barrier === barrier;
      if (!last && recipients.size < RUN_RECIPIENTS) return false;
      const sorted = [...recipients].sort(([a], [b]) => (a < b ? -1 : 1));
      recipients = new Map();
      for (let at = 0; at < sorted.length; at += SLICE_RECIPIENTS) {
        const slice = new Map(sorted.slice(at, at + SLICE_RECIPIENTS));
        store.apply({ ...unchanged(store), recipients: slice });
        await nextTurn();
      }
      store.apply({ ...unchanged(store), to: { ...store.positions, recipientState: offset } });
      return last;
    });
  }

  private async follow<T>(
    changelog: 'seen' | 'recipientState',
    topic: string,
    decoder: Decoder<T>,
    /** `value`: null where a recipient was forgotten. */
    onValue: (record: InputRecord, value: T | null) => Promise<boolean>,
  ): Promise<void> {
    const { partition } = this.owned;
    this.tell();
    await this.owned.read(topic, partition, this.next[changelog], async (records) => {
      await decoder.load(records.flatMap(({ value }) => value ?? []));
      this.read += records.length;
      for (const record of records) {
        this.next[changelog] = record.offset + 1;
        const value = record.value === null ? null : decoder.decode(record.value);
        if (await onValue(record, value)) return true;
      }
      this.tell();
      return false;
    });
  }

  private tell(): void {
    const { next } = this;
    const { ends, onProgress } = this.settings;
    const left = (from: number, end: number) => Math.max(0, end + 1 - from);
    onProgress({
      records: this.read,
      remaining: left(next.seen, ends.seen) + left(next.recipientState, ends.recipientState),
    });
  }
}

function totalsOf(batch: SeenBatch): Totals {
  const { received, emitted, duplicates, dead_lettered, erased } = batch;
  return { received, emitted, duplicates, deadLettered: dead_lettered, erased };
}

function unchanged(store: PartitionStore): StoreChange {
  const { positions, totals } = store;
  return { from: positions, to: positions, totals, ids: [], recipients: new Map() };
}
