import {
  type Counter,
  deadLetterKey,
  deadLetterOf,
  deadLetterPartition,
  type InputRecord,
  type OutputRecord,
  type Stage,
  type Step,
} from '@email-events/core';
import {
  CodecError,
  type DeadLetter,
  type EmailEvent,
  type Encoder,
  type NormalizedBatch,
  partitionOf,
  recipientKey,
  topics,
} from '@email-events/schemas';
import type { DeadLetterCounter } from '../dead-letters.ts';
import { type NormalizeFailure, normalizeRecord, type OptionsOf } from './normalize-record.ts';

/** What all partitions share. */
export interface NormalizeContext {
  /** Partitions of the topics that are keyed by recipient. */
  readonly partitions: number;
  readonly deadLetterPartitions: number;
  readonly encoder: Encoder<NormalizedBatch>;
  readonly deadLetterEncoder: Encoder<DeadLetter>;
  readonly items: Counter<'result'>;
  readonly deadLetters: DeadLetterCounter;
  readonly clock: () => number;
  /** Options of the sources; none if absent. */
  readonly optionsOf?: OptionsOf;
}

/** A record of the internal topic is kept well below what its topic takes. */
const MAX_BATCH_BYTES = 800_000;
/** An event that alone exceeds this cannot be on a typed topic either (2 MiB). */
const MAX_EVENT_BYTES = 1_900_000;

/** Stateless: split, normalize, and put the events where their recipient's partition is, in batches. */
export class NormalizeStage implements Stage {
  private readonly context: NormalizeContext;

  constructor(context: NormalizeContext) {
    this.context = context;
  }

  async open(): Promise<void> {}

  async process(records: readonly InputRecord[]): Promise<Step> {
    const byPartition = new Map<number, { event: EmailEvent; record: InputRecord }[]>();
    const letters = new Letters(this.context.clock());
    let items = 0;
    for (const record of records) {
      const { events, failures, request } = normalizeRecord(record, this.context.optionsOf);
      for (const event of events) this.place(byPartition, event, record);
      for (const failure of failures) letters.add(record, failure, request);
      items += events.length + failures.length;
    }
    const outputs: OutputRecord[] = [];
    for (const [partition, placed] of byPartition) {
      for (const value of this.encode(placed, letters)) {
        outputs.push({ topic: topics.normalized, partition, key: null, value });
      }
    }
    outputs.push(...letters.all.map((letter) => this.deadLetter(letter)));
    return { outputs, committed: () => this.count(items, letters.all) };
  }

  async close(): Promise<void> {}

  private place(
    byPartition: Map<number, { event: EmailEvent; record: InputRecord }[]>,
    event: EmailEvent,
    record: InputRecord,
  ): void {
    const partition = partitionOf(recipientKey(event.recipient), this.context.partitions);
    const placed = byPartition.get(partition);
    if (placed) placed.push({ event, record });
    else byPartition.set(partition, [{ event, record }]);
  }

  /** One value, or several where one would be too large. An event that cannot be encoded becomes a dead letter. */
  private encode(placed: readonly { event: EmailEvent; record: InputRecord }[], letters: Letters): Buffer[] {
    const value = this.tryEncode(placed);
    const [first] = placed;
    if (
      value &&
      (value.length <= MAX_BATCH_BYTES || (placed.length === 1 && value.length <= MAX_EVENT_BYTES))
    )
      return [value];
    if (placed.length > 1) {
      const half = placed.length >> 1;
      return [...this.encode(placed.slice(0, half), letters), ...this.encode(placed.slice(half), letters)];
    }
    if (first) {
      const [code, message] = value
        ? ['NORMALIZE_EVENT_TOO_LARGE', 'the event exceeds what a record may hold']
        : ['NORMALIZE_EVENT_INVALID', 'the event does not fit the schema'];
      const { event, record } = first;
      const { esp, source, request_id: requestId, item_index: index } = event;
      letters.add(record, { code, message, item: { index, bytes: null } }, { esp, source, requestId });
    }
    return [];
  }

  private tryEncode(placed: readonly { event: EmailEvent }[]): Buffer | undefined {
    try {
      return this.context.encoder.encode({ events: placed.map(({ event }) => event), actions: [] });
    } catch (error) {
      if (error instanceof CodecError) return undefined;
      throw error;
    }
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

  private count(items: number, letters: readonly DeadLetter[]): void {
    const { items: counter, deadLetters } = this.context;
    counter.inc({ result: 'normalized' }, items - letters.length);
    counter.inc({ result: 'dead_letter' }, letters.length);
    for (const { stage, code } of letters) deadLetters.inc({ stage, code });
  }
}

/** The dead letters of one transaction. The first of a record carries its value, the others only their item. */
class Letters {
  readonly all: DeadLetter[] = [];
  private readonly records = new Set<InputRecord>();
  private readonly now: number;

  constructor(now: number) {
    this.now = now;
  }

  add(
    record: InputRecord,
    failure: NormalizeFailure,
    request: { esp: string; source: string; requestId: string } | undefined,
  ): void {
    const carriesValue = !this.records.has(record);
    this.records.add(record);
    const letter = { stage: 'normalize', firstAt: this.now, carriesValue, ...failure, ...request };
    this.all.push(deadLetterOf(record, letter));
  }
}
