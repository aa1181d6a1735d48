import {
  deadLetterKey,
  deadLetterOf,
  deadLetterPartition,
  type InputRecord,
  type LastOffset,
  type OutputRecord,
  type OwnedPartition,
  PipelineError,
  type Stage,
  type Step,
} from '@email-events/core';
import {
  CodecError,
  type DeadLetter,
  type Decoder,
  type EmailEvent,
  type Encoder,
  type EventType,
  type NormalizedBatch,
  type Suppression,
  topics,
} from '@email-events/schemas';
import {
  discardStore,
  PartitionStore,
  type StateCodec,
  type StoreIdentity,
  type Totals,
} from '../state/partition-store.ts';
import { type ChangelogCodec, restore } from '../state/restore.ts';
import { Batch, type BatchFailure } from './batch.ts';
import type { SoftBounceRule } from './suppress.ts';

/** What all partitions share. */
export interface EventsContext {
  readonly stateDir: string;
  readonly identity: Omit<StoreIdentity, 'partition'>;
  readonly windowMs: number;
  readonly softBounces: SoftBounceRule;
  readonly deadLetterPartitions: number;
  readonly decoder: Decoder<NormalizedBatch>;
  readonly encoders: { readonly [T in EventType]: Encoder<EmailEvent> };
  readonly suppressionEncoder: Encoder<Suppression>;
  readonly deadLetterEncoder: Encoder<DeadLetter>;
  readonly changelogs: ChangelogCodec;
  readonly stateCodec: StateCodec;
  readonly clock: () => number;
  /** Told the partition's totals whenever they change. */
  readonly onTotals: (partition: number, totals: Totals) => void;
}

/** One partition of `events`: drop duplicates → update suppression → route, in memory; then all of it in one transaction. */
export class EventsStage implements Stage {
  private readonly context: EventsContext;
  private partition = 0;
  private store: PartitionStore | undefined;

  constructor(context: EventsContext) {
    this.context = context;
  }

  async open(owned: OwnedPartition): Promise<void> {
    this.partition = owned.partition;
    const path = `${this.context.stateDir}/${owned.partition}`;
    try {
      await this.openStore(path, owned);
    } catch (error) {
      if (!(error instanceof PipelineError) || error.code !== 'STATE_UNUSABLE') throw error;
      await this.close();
      discardStore(path);
      await this.openStore(path, owned);
    }
  }

  async process(records: readonly InputRecord[]): Promise<Step> {
    const { store, context } = this;
    if (!store) throw new PipelineError('SERVICE_UNEXPECTED', 'fatal', 'the stage was not opened');
    const { decoder, clock } = context;
    await decoder.load(records.flatMap(({ value }) => value ?? []));
    const now = clock();
    store.expire(now);
    const batch = new Batch(store, context, this.partition);
    for (const record of records) {
      const normalized = decode(decoder, record);
      if (normalized === undefined) batch.refuse(record, UNREADABLE);
      else for (const event of normalized.events) batch.add(record, event);
    }
    const outputs = [
      ...batch.outputs,
      ...this.deadLetters(batch.failures, now),
      ...this.changelog(batch, store, now),
    ];
    return { outputs, committed: (lastOffset) => this.remember(batch, store, now, lastOffset) };
  }

  async close(): Promise<void> {
    await this.store?.close();
    this.store = undefined;
  }

  private async openStore(path: string, owned: OwnedPartition): Promise<void> {
    const { identity, windowMs, stateCodec, changelogs, onTotals } = this.context;
    const store = new PartitionStore(path, { ...identity, partition: owned.partition }, windowMs, stateCodec);
    this.store = store;
    await restore(store, owned, changelogs);
    onTotals(owned.partition, store.totals);
  }

  private changelog(batch: Batch, store: PartitionStore, now: number): OutputRecord[] {
    const { seen, recipientState } = this.context.changelogs;
    const totals = batch.totals(store.totals);
    const value = seen.encoder.encode({
      ids: batch.ids,
      seen_at: now,
      received: totals.received,
      emitted: totals.emitted,
      duplicates: totals.duplicates,
      dead_lettered: totals.deadLettered,
      barrier: null,
    });
    const { partition } = this;
    const states = [...batch.recipients].map(([key, state]) => ({
      topic: topics.recipientState,
      partition,
      key,
      value: recipientState.encoder.encode(state),
    }));
    return [{ topic: topics.seen, partition, key: null, value }, ...states];
  }

  private remember(batch: Batch, store: PartitionStore, seenAt: number, lastOffset: LastOffset): void {
    const { positions } = store;
    const totals = batch.totals(store.totals);
    store.apply({
      from: positions,
      to: {
        seen: lastOffset(topics.seen, this.partition) ?? positions.seen,
        recipientState: lastOffset(topics.recipientState, this.partition) ?? positions.recipientState,
      },
      totals,
      ids: [{ seenAt, bytes: batch.ids }],
      recipients: batch.recipients,
    });
    this.context.onTotals(this.partition, totals);
  }

  private deadLetters(failures: readonly BatchFailure[], now: number): OutputRecord[] {
    const { deadLetterEncoder, deadLetterPartitions } = this.context;
    return failures.map(({ record, code, message, item, carriesValue }) => {
      const letter = deadLetterOf(record, {
        stage: 'events',
        code,
        message,
        firstAt: now,
        carriesValue,
        ...(item ? { item: { index: item.index, bytes: Buffer.from(JSON.stringify(item.event)) } } : {}),
        ...(item ? { esp: item.event.esp, source: item.event.source, requestId: item.event.request_id } : {}),
      });
      return {
        topic: topics.deadLetters,
        partition: deadLetterPartition(letter, deadLetterPartitions),
        key: deadLetterKey(letter),
        value: deadLetterEncoder.encode(letter),
      };
    });
  }
}

const UNREADABLE = { code: 'EVENTS_RECORD_UNREADABLE', message: 'the record cannot be decoded' };

/** Undefined if the record can never be read. */
function decode(decoder: Decoder<NormalizedBatch>, { value }: InputRecord): NormalizedBatch | undefined {
  if (value === null) return undefined;
  try {
    return decoder.decode(value);
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}
