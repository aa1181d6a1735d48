import {
  COUNTED_HEADER,
  deadLetterKey,
  deadLetterOf,
  deadLetterPartition,
  type InputRecord,
  type OutputRecord,
  PUT_BACK_HEADER,
  type RawRequest,
  RELEASED_HEADER,
  replayOf,
  type Spans,
  traceOf,
  tracesHeader,
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
import { OTHERS, type SourceCounts, sumOf } from './counts.ts';
import type { Normalized, NormalizeFailure } from './normalize-record.ts';

/** Encoders, and how many partitions the topics have. */
export interface Writing {
  /** Partitions of the topics that are keyed by recipient. */
  readonly partitions: number;
  readonly deadLetterPartitions: number;
  readonly encoder: Encoder<NormalizedBatch>;
  readonly deadLetterEncoder: Encoder<DeadLetter>;
}

/** A record of the internal topic is kept well below what its topic takes. */
const MAX_BATCH_BYTES = 800_000;
/** An event that alone exceeds this cannot be on a typed topic either (2 MiB). */
const MAX_EVENT_BYTES = 1_900_000;

const PUT_BACK = { [PUT_BACK_HEADER]: Buffer.from('1') };

interface Placed {
  readonly event: EmailEvent;
  readonly record: InputRecord;
}

type Requested = Pick<RawRequest, 'esp' | 'source' | 'requestId'>;

/** The events and dead letters of one transaction. The first letter of a record carries its value, the others only their item. */
export class Transaction {
  readonly letters: DeadLetter[] = [];
  /** What becomes of the requests, by source. */
  readonly counts = new Map<string, SourceCounts>();
  /** Bytes, roughly. */
  bytes = 0;
  private readonly writing: Writing;
  private readonly now: number;
  private readonly spans: Spans | undefined;
  private readonly byPartition = new Map<number, Placed[]>();
  /** Those of requests that were put back: in records of their own, which say so. */
  private readonly putBackByPartition = new Map<number, Placed[]>();
  private readonly withLetter = new Set<InputRecord>();

  constructor(writing: Writing, now: number, spans?: Spans) {
    this.writing = writing;
    this.now = now;
    this.spans = spans;
  }

  add(record: InputRecord, { events, failures, request, refused, bytes }: Normalized): void {
    const isOld = replayOf(record) !== undefined || record.headers[RELEASED_HEADER] !== undefined;
    for (const event of events) this.place(event, record, isOld);
    for (const failure of failures) this.fail(record, failure, request);
    this.count(request?.source, {
      requests: isOld ? 0 : 1,
      putBack: isOld ? 1 : 0,
      normalized: events.length,
      refused,
    });
    this.bytes += bytes;
  }

  fail(record: InputRecord, failure: NormalizeFailure, request: Requested | undefined): void {
    const carriesValue = !this.withLetter.has(record);
    this.withLetter.add(record);
    const letter = deadLetterOf(record, {
      ...{ stage: 'normalize', firstAt: this.now, carriesValue },
      ...failure,
      ...(request && { esp: request.esp, source: request.source, requestId: request.requestId }),
    });
    this.letters.push(letter);
    this.bytes += (letter.value?.length ?? 0) + (letter.item?.length ?? 0);
  }

  /** Encoded. What turns out to fit no record is a dead letter. */
  outputs(): OutputRecord[] {
    const outputs: OutputRecord[] = [];
    for (const [all, mark] of [
      [this.byPartition, {}],
      [this.putBackByPartition, PUT_BACK],
    ] as const) {
      for (const [partition, placed] of all) {
        this.encode(placed, (value, own) => {
          const counted = { [COUNTED_HEADER]: Buffer.from(String(own.length)), ...mark };
          const headers = this.spans ? { ...counted, ...this.traces(own) } : counted;
          outputs.push({ topic: topics.normalized, partition, key: null, value, headers });
        });
      }
    }
    for (const letter of this.letters) outputs.push(this.deadLetter(letter));
    return outputs;
  }

  private place(event: EmailEvent, record: InputRecord, isOld: boolean): void {
    const partition = partitionOf(recipientKey(event.recipient), this.writing.partitions);
    const of = isOld ? this.putBackByPartition : this.byPartition;
    const placed = of.get(partition);
    if (placed) placed.push({ event, record });
    else of.set(partition, [{ event, record }]);
  }

  /** One value, or several where one would be too large. */
  private encode(placed: readonly Placed[], put: (value: Buffer, events: readonly Placed[]) => void): void {
    const value = this.tryEncode(placed);
    const [first] = placed;
    const limit = placed.length === 1 ? MAX_EVENT_BYTES : MAX_BATCH_BYTES;
    if (value && value.length <= limit) put(value, placed);
    else if (placed.length > 1) {
      const half = placed.length >> 1;
      this.encode(placed.slice(0, half), put);
      this.encode(placed.slice(half), put);
    } else if (first) this.refuse(first, value !== undefined);
  }

  /** Which of the requests are traced whose events these are. */
  private traces(placed: readonly Placed[]): { readonly [name: string]: Buffer } {
    const traces = new Map<string, string>();
    for (const { event, record } of placed) {
      const trace = this.spans?.handOn(traceOf(record));
      if (trace !== undefined) traces.set(event.request_id, trace);
    }
    return tracesHeader(traces);
  }

  private refuse({ event, record }: Placed, tooLarge: boolean): void {
    const [code, message] = tooLarge
      ? ['NORMALIZE_EVENT_TOO_LARGE', 'the event exceeds what a record may hold']
      : ['NORMALIZE_EVENT_INVALID', 'the event does not fit the schema'];
    const { esp, source, request_id: requestId, item_index: index } = event;
    this.count(source, { requests: 0, putBack: 0, normalized: -1, refused: 1 });
    this.fail(record, { code, message, item: { index, bytes: null } }, { esp, source, requestId });
  }

  private count(source = OTHERS, counts: SourceCounts): void {
    const before = this.counts.get(source);
    this.counts.set(source, before ? sumOf(before, counts) : counts);
  }

  private tryEncode(placed: readonly Placed[]): Buffer | undefined {
    try {
      return this.writing.encoder.encode({ events: placed.map(({ event }) => event), actions: [] });
    } catch (error) {
      if (error instanceof CodecError) return undefined;
      throw error;
    }
  }

  private deadLetter(letter: DeadLetter): OutputRecord {
    const { deadLetterEncoder, deadLetterPartitions } = this.writing;
    return {
      topic: topics.deadLetters,
      partition: deadLetterPartition(letter, deadLetterPartitions),
      key: deadLetterKey(letter),
      value: deadLetterEncoder.encode(letter),
    };
  }
}
