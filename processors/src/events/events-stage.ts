import {
  countedOf,
  deadLetterKey,
  deadLetterOf,
  deadLetterPartition,
  type InputRecord,
  isOfRecords,
  type LastOffset,
  type OutputRecord,
  type OwnedPartition,
  PipelineError,
  replayOf,
  type Spans,
  type Stage,
  type Step,
  type Traces,
  tracesOf,
  type UnforeseenFailure,
} from '@email-events/core';
import {
  CodecError,
  type DeadLetter,
  type Decoder,
  type Encoder,
  type NormalizedBatch,
  PackedEvents,
  topics,
} from '@email-events/schemas';
import type { DeadLetterReport } from '../dead-letters.ts';
import { Batch, type BatchFailure, type BatchSettings, type FailedItem } from './batch.ts';
import { LiveState } from './state/live-state.ts';
import type {
  PartitionStore,
  StateCodec,
  StoreIdentity,
  StoreSize,
  Totals,
} from './state/partition-store.ts';
import { type ChangelogCodec, type RestoreProgress, restore } from './state/restore.ts';
import { closeStore, openStore } from './state/seal.ts';
import { discardStore } from './state/store-file.ts';
import { checkEvents, setAside } from './unforeseen.ts';

/** Settings, codecs and metrics that all partitions share. */
export interface EventsContext extends BatchSettings {
  readonly stateDir: string;
  readonly identity: Omit<StoreIdentity, 'partition'>;
  readonly windowMs: number;
  readonly deadLetterPartitions: number;
  readonly decoder: Decoder<NormalizedBatch>;
  readonly deadLetterEncoder: Encoder<DeadLetter>;
  readonly changelogs: ChangelogCodec;
  readonly stateCodec: StateCodec;
  readonly deadLetters: DeadLetterReport;
  /** The stages that are open now, for the metrics. */
  readonly openStages: Set<MeasuredStage>;
  readonly restores: RestoreListener;
  /** A restore takes memory, and a process has one thread for all of them: few at a time. */
  readonly restoreInTurn: (work: () => Promise<void>) => Promise<void>;
  /** Default: none. */
  readonly traces?: Traces | undefined;
}

/** Follows restores while they run. */
export interface RestoreListener {
  progress(partition: number, progress: RestoreProgress): void;
  /** It is over, well (so many seconds after it began) or not. */
  ended(partition: number, seconds?: number): void;
  /** A store could not be trusted and is made anew. */
  discarded(partition: number, reason: string): void;
}

/** Measured of a partition while this instance has it. */
export interface MeasuredStage {
  readonly partition: number;
  readonly totals: Totals;
  /** Events that were found in the records that normalize has counted, since these are counted. */
  readonly handedOver: number;
  readonly size: StoreSize;
  /** Forgets ids that have expired. */
  expire(): void;
}

/** One partition of `events`: drop duplicates → update suppression → route, in memory; then all of it in one transaction. */
export class EventsStage implements Stage, MeasuredStage {
  partition = 0;
  handedOver = 0;
  private readonly context: EventsContext;
  private readonly packed = new PackedEvents();
  private store: PartitionStore | undefined;
  /** Of the store, once it is restored. */
  private state: LiveState | undefined;

  constructor(context: EventsContext) {
    this.context = context;
  }

  async open(owned: OwnedPartition): Promise<void> {
    this.partition = owned.partition;
    this.handedOver = handedOverOf(owned.note);
    const started = performance.now();
    const { restores, openStages } = this.context;
    try {
      await this.openTrusted(owned);
    } catch (error) {
      restores.ended(owned.partition);
      throw error;
    }
    restores.ended(owned.partition, (performance.now() - started) / 1_000);
    openStages.add(this);
  }

  get totals(): Totals {
    return this.opened.totals;
  }

  get size(): StoreSize {
    return this.opened.size;
  }

  expire(): void {
    this.opened.expire(this.context.clock());
  }

  async process(records: readonly InputRecord[]): Promise<Step> {
    const { opened: state, context } = this;
    const { decoder, clock } = context;
    await decoder.load(records.flatMap(({ value }) => value ?? []));
    const now = clock();
    state.expire(now);
    const spans = context.traces?.join(
      'events',
      records.flatMap((record) => [...tracesOf(record).values()]),
    );
    const batch = new Batch(state, context, this.partition, spans);
    let handedOver = 0;
    for (const record of records) {
      const found = this.addPacked(batch, record) ?? this.addDecoded(batch, record);
      const counted = countedOf(record);
      if (counted !== undefined) handedOver += found ?? counted;
    }
    return this.stepOf(batch, state, now, handedOver, spans);
  }

  /** How many events are in the record; undefined: it cannot be read, and is refused as a whole. */
  private addDecoded(batch: Batch, record: InputRecord): number | undefined {
    const normalized = decode(this.context.decoder, record);
    if (normalized === undefined) batch.refuse(record, UNREADABLE);
    else addAll(batch, record, normalized);
    return normalized?.events.length;
  }

  /** The same of a record that only has events, as this version writes it. Undefined: it is to be decoded. */
  private addPacked(batch: Batch, record: InputRecord): number | undefined {
    const { value } = record;
    if (value === null || !this.context.decoder.isOwn(value)) return undefined;
    const events = this.packed.read(value);
    if (!events) return undefined;
    const isMeant = meant(record);
    for (let index = 0; index < events.length; index++)
      if (isMeant(index)) batch.addPacked(record, events.at(index), index);
    return events.length;
  }

  async setAside(record: InputRecord, failure: UnforeseenFailure): Promise<Step> {
    const { opened: state, context } = this;
    const makeBatch = () => new Batch(state, context, this.partition);
    const normalized = readable(context.decoder, record);
    const { batch, sources } = setAside(record, normalized, failure, makeBatch);
    const counted = countedOf(record);
    const handedOver = counted === undefined ? 0 : (normalized?.events.length ?? counted);
    return {
      ...this.stepOf(batch, state, context.clock(), handedOver),
      unforeseen: [{ offset: record.offset, sources }],
    };
  }

  async checkItself(): Promise<void> {
    checkEvents(this.context);
  }

  private stepOf(batch: Batch, state: LiveState, now: number, added: number, spans?: Spans): Step {
    const handedOver = this.handedOver + added;
    const letters = batch.failures.map((failure) => letterOf(failure, now));
    const outputs = [
      ...batch.outputs,
      ...letters.map((letter) => this.deadLetter(letter)),
      ...this.changelog(batch, state, now),
    ];
    const committed = (lastOffset: LastOffset) => {
      this.remember(batch, state, now, lastOffset);
      this.handedOver = handedOver;
      this.context.deadLetters.written(letters);
      spans?.end({ 'email_events.partition': this.partition, ...batch.counts });
    };
    return { outputs, note: noteOf(handedOver), committed };
  }

  async close(): Promise<void> {
    const { store, state } = this;
    this.context.openStages.delete(this);
    this.store = undefined;
    this.state = undefined;
    try {
      state?.flushIfPossible();
    } finally {
      if (store?.isDamaged) this.context.restores.discarded(this.partition, 'LMDB found damage');
      if (store) await closeStore(store, this.path);
    }
  }

  private get opened(): LiveState {
    if (!this.state) throw new PipelineError('SERVICE_UNEXPECTED', 'fatal', 'the stage is not open');
    return this.state;
  }

  private get path(): string {
    return `${this.context.stateDir}/${this.partition}`;
  }

  /** A store that is of no use is made anew, from the changelog. */
  private async openTrusted(owned: OwnedPartition): Promise<void> {
    try {
      await this.openRestored(owned);
    } catch (error) {
      if (!(error instanceof PipelineError) || error.code !== 'STATE_UNUSABLE') throw error;
      if (!this.store?.isDamaged) this.context.restores.discarded(this.partition, error.message);
      await this.close();
      discardStore(this.path);
      await this.openRestored(owned);
    }
  }

  private async openRestored(owned: OwnedPartition): Promise<void> {
    const { identity, windowMs, stateCodec, changelogs, clock, restores, restoreInTurn } = this.context;
    const { partition } = owned;
    this.store = await openStore(this.path, { ...identity, partition }, windowMs, stateCodec);
    const now = clock();
    this.store.expire(now);
    await restore(this.store, owned, changelogs, {
      now,
      onProgress: (progress) => restores.progress(partition, progress),
      inTurn: restoreInTurn,
    });
    const state = new LiveState(this.store);
    if (state.hasErased && this.context.erasure.pseudonyms.length === 0)
      throw new PipelineError(
        'EVENTS_ERASURE_KEYS_MISSING',
        'fatal',
        'recipients were erased, and there is no key',
      );
    this.state = state;
  }

  private changelog(batch: Batch, state: LiveState, now: number): OutputRecord[] {
    const { seen, recipientState } = this.context.changelogs;
    const totals = batch.totals(state.totals);
    const value = seen.encoder.encode({
      ids: Buffer.from([...batch.ids].join(''), 'hex'),
      seen_at: now,
      received: totals.received,
      emitted: totals.emitted,
      duplicates: totals.duplicates,
      dead_lettered: totals.deadLettered,
      erased: totals.erased,
      barrier: null,
    });
    const { partition } = this;
    const states = [...batch.recipients].map(([key, told]) => ({
      topic: topics.recipientState,
      partition,
      key,
      value: told && recipientState.encoder.encode(told),
    }));
    return [{ topic: topics.seen, partition, key: null, value }, ...states];
  }

  private remember(batch: Batch, state: LiveState, seenAt: number, lastOffset: LastOffset): void {
    const { ids, recipients } = batch;
    state.remember({
      ...{ ids, seenAt, recipients },
      totals: batch.totals(state.totals),
      seenOffset: lastOffset(topics.seen, this.partition),
      ...(recipients.size > 0 && {
        recipientStateOffset: lastOffset(topics.recipientState, this.partition),
      }),
    });
  }

  private deadLetter(letter: DeadLetter): OutputRecord {
    const { deadLetterEncoder, deadLetterPartitions } = this.context;
    return {
      topic: topics.deadLetters,
      partition: deadLetterPartition(letter, deadLetterPartitions),
      key: deadLetterKey(letter),
      value: deadLetterEncoder.encode(letter),
    };
  }
}

const NOTE = /^1 (\d+)$/;

const noteOf = (handedOver: number) => `1 ${handedOver}`;

const handedOverOf = (note: string | null) => Number(NOTE.exec(note ?? '')?.[1] ?? 0);

function letterOf({ record, code, message, item, carriesValue }: BatchFailure, firstAt: number): DeadLetter {
  const place = item ? placeOf(item) : {};
  return deadLetterOf(record, { stage: 'events', code, message, firstAt, carriesValue, ...place });
}

const UNREADABLE = { code: 'EVENTS_RECORD_UNREADABLE', message: 'the record cannot be decoded' };

/** Operators' actions first. Of a record that was put back, only what it was put back for. */
function addAll(batch: Batch, record: InputRecord, { events, actions }: NormalizedBatch): void {
  const isMeant = meant(record);
  for (const [i, action] of actions.entries()) {
    const index = events.length + i;
    if (isMeant(index)) batch.take(record, action, index);
  }
  for (const [index, event] of events.entries()) if (isMeant(index)) batch.add(record, event, index);
}

function meant(record: InputRecord): (index: number) => boolean {
  const items = replayOf(record)?.items ?? null;
  return (index) => items === null || items.includes(index);
}

/** The fields of a letter that say which item failed. */
function placeOf(item: FailedItem) {
  const said = 'event' in item ? item.event : item.action;
  const place = { item: { index: item.index, bytes: Buffer.from(JSON.stringify(said)) } };
  if (!('event' in item)) return place;
  const { esp, source, request_id: requestId } = item.event;
  return { ...place, esp, source, requestId };
}

/** Of a record on which anything may fail. */
function readable(decoder: Decoder<NormalizedBatch>, record: InputRecord): NormalizedBatch | undefined {
  try {
    return decode(decoder, record);
  } catch (error) {
    if (!isOfRecords(error)) throw error;
    return undefined;
  }
}

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
