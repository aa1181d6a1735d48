import { setImmediate as othersTurn } from 'node:timers/promises';
import {
  decodeRawHeaders,
  type InputRecord,
  type RawRequest,
  type Replay,
  replayOf,
} from '@email-events/core';
import {
  type Budget,
  DEFAULT_BUDGET,
  findAdapter,
  type ItemResult,
  Refusal,
  readItems,
  type SourceReading,
  Spending,
  type TimeBounds,
  toEmailEvent,
} from '@email-events/esps';
import type { EmailEvent } from '@email-events/schemas';

/** Past participle of a raw record. Every item is either in the events (none to many each) or in the failures. */
export interface Normalized {
  /** Undefined if not even the headers could be read. */
  readonly request: RawRequest | undefined;
  readonly events: readonly EmailEvent[];
  readonly failures: readonly NormalizeFailure[];
  /** Items that are refused; several may have one failure in common. */
  readonly refused: number;
  /** Bytes that the events come to, or fewer. */
  readonly bytes: number;
  /** The adapter failed on an item in an unforeseen way. */
  readonly unforeseen: boolean;
}

export interface NormalizeOptions {
  /** How the events of a source are read, by its name. */
  readonly readingOf?: ((source: string) => SourceReading) | undefined;
  /** Account that a source belongs to today; null: it names none. */
  readonly accountOf?: ((source: string) => string | null) | undefined;
  /** Whether what is in a request may have other ids by earlier rules. Default: it may. */
  readonly mayHaveFormerIds?: ((request: RawRequest) => boolean) | undefined;
  readonly budget?: Budget | undefined;
  /** Which times are believed. Default: DEFAULT_TIME_BOUNDS. */
  readonly timeBounds?: TimeBounds | undefined;
  /** Pauses between items. */
  readonly breath?: Breath;
}

/**
 * Reads what an ESP reported, and lets others have their turn. What cannot be read is a failure with a code; it throws only
 * what is unforeseen. Of a record that was put back, only the items that it was put back for.
 */
export async function normalizeRecord(
  record: InputRecord,
  options: NormalizeOptions = {},
): Promise<Normalized> {
  const request = decodeRawHeaders(record.headers);
  const { budget = DEFAULT_BUDGET } = options;
  const failures = new Failures(budget, record, request);
  if (!request) {
    failures.ofAll('NORMALIZE_HEADERS_UNREADABLE', 'the record lacks the headers of a request');
    return { request, events: [], bytes: 0, ...failures.result };
  }
  try {
    const { events, bytes } = await readAll(record, request, failures, options);
    return { request, events, bytes, ...failures.result };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    failures.ofAll(error.code, error.message);
    return { request, events: [], bytes: 0, ...failures.result };
  }
}

async function readAll(
  record: InputRecord,
  request: RawRequest,
  failures: Failures,
  options: NormalizeOptions,
): Promise<{ readonly events: readonly EmailEvent[]; readonly bytes: number }> {
  const { readingOf, accountOf, mayHaveFormerIds, timeBounds } = options;
  const { budget = DEFAULT_BUDGET, breath = new Breath() } = options;
  const adapter = findAdapter(request.esp);
  if (!adapter) {
    failures.ofAll('NORMALIZE_ESP_UNKNOWN', 'no adapter of that name');
    return { events: [], bytes: 0 };
  }
  const { requestId, source, esp, receivedAt, method, url, headers, contentType } = request;
  const body = record.value ?? Buffer.alloc(0);
  const withType = contentType === null ? headers : { ...headers, 'content-type': contentType };
  const received = { method, url, headers: withType, body, receivedAt };
  const origin = {
    esp,
    source,
    account: request.account,
    accountNow: accountOf?.(source) ?? null,
    identityVersion: request.identityVersion,
    hasFormerIds: mayHaveFormerIds?.(request) ?? true,
    request_id: requestId,
    received_at: receivedAt,
    raw_partition: record.partition,
    raw_offset: record.offset,
  };
  const spending = new Spending(budget, received);
  const replay = replayOf(record);
  const [isWanted, superseded] = [wanted(replay), replay?.supersedes ?? []];
  const events: EmailEvent[] = [];
  for (const result of readItems(adapter, received, readingOf?.(source) ?? {}, budget, spending)) {
    if (breath.isDue) await breath.take();
    if ('code' in result) failures.ofItem(result);
    else
      for (const said of result.events) {
        const event = toEmailEvent(said, { ...origin, item_index: result.index }, timeBounds);
        if (isWanted(result, event)) events.push(superseding(event, superseded));
      }
  }
  return { events, bytes: spending.bytes };
}

function wanted(replay: Replay | undefined): (item: ItemResult, event: EmailEvent) => boolean {
  if (!replay?.items) return () => true;
  const [items, ids] = [new Set(replay.items), replay.events && new Set(replay.events)];
  return ({ index }, { event_id }) => items.has(index) && (ids?.has(event_id) ?? true);
}

/** An event that is put back in place of another is no copy of that one. */
function superseding(event: EmailEvent, superseded: readonly string[]): EmailEvent {
  if (superseded.length === 0) return event;
  return { ...event, known_as: event.known_as.filter((id) => !superseded.includes(id)) };
}

/** Why a record, or one item of it, gave no events. */
export interface NormalizeFailure {
  readonly code: string;
  readonly message: string;
  readonly attempts?: number;
  readonly item?: { readonly index: number; readonly bytes: Buffer | null };
}

type RefusedItem = Extract<ItemResult, { readonly code: string }>;

/** Bytes of a letter besides its item and the headers of the record: place, code, times. */
const LETTER_OVERHEAD = 400;

/**
 * The failures of one request: one for each item that cannot be read, unless there are so many, or they are so large, that one
 * has to stand for all of them. Of a record that was put back, only the items that it was put back for count.
 */
export class Failures {
  private readonly budget: Budget;
  private readonly only: ReadonlySet<number> | null;
  private readonly overhead: number;
  private readonly room: number;
  private readonly failures: NormalizeFailure[] = [];
  private items = 0;
  private bytes = 0;
  private first: string | undefined;
  private unforeseen = false;

  constructor(budget: Budget, record: InputRecord, request: RawRequest | undefined) {
    this.budget = budget;
    const items = replayOf(record)?.items;
    this.only = items ? new Set(items) : null;
    const headers = Object.values(record.headers).reduce((sum, { length }) => sum + length, 0);
    this.overhead = LETTER_OVERHEAD + headers;
    const received = (record.value?.length ?? 0) + (request?.url.length ?? 0);
    this.room = Math.min(budget.maxOutputBytes, received + budget.maxDeadLetters * LETTER_BYTES);
  }

  /** The request as a whole. That stands for each of the items that it was put back for: the others were counted long ago. */
  ofAll(code: string, message: string, attempts?: number): void {
    const failure = { code, message, ...(attempts === undefined ? {} : { attempts }) };
    this.failures.length = 0;
    this.items = 0;
    if (!this.only) this.add(failure);
    else for (const index of this.only) this.add({ ...failure, item: { index, bytes: null } });
  }

  ofItem({ index, code, message, item }: RefusedItem): void {
    if (this.only && !this.only.has(index)) return;
    this.unforeseen ||= code === 'NORMALIZE_UNEXPECTED';
    this.add({ code, message, item: { index, bytes: item === null ? null : Buffer.from(item) } });
  }

  get result(): {
    readonly failures: readonly NormalizeFailure[];
    readonly refused: number;
    readonly unforeseen: boolean;
  } {
    const { items: refused, unforeseen } = this;
    if (this.fits) return { failures: this.failures, refused, unforeseen };
    const message = `${refused} items cannot be read, the first is ${this.first}`;
    return { failures: [{ code: 'NORMALIZE_TOO_MANY_FAILURES', message }], refused, unforeseen };
  }

  private get fits(): boolean {
    return this.items <= this.budget.maxDeadLetters && (this.items <= 1 || this.bytes <= this.room);
  }

  private add(failure: NormalizeFailure): void {
    this.items++;
    this.first ??= failure.code;
    this.bytes += this.overhead + (failure.item?.bytes?.length ?? 0);
    if (this.fits) this.failures.push(failure);
    else this.failures.length = 0;
  }
}

/** A letter of a small item, on average. */
const LETTER_BYTES = 4_096;

/** Heartbeats, answers to probes and other partitions wait no longer than this and one item. Milliseconds. */
const SLICE_MS = 10;

/** Lets long work pause for the event loop: says when a pause is due, and takes it. */
export class Breath {
  private since = performance.now();

  get isDue(): boolean {
    return performance.now() - this.since > SLICE_MS;
  }

  async take(): Promise<void> {
    await othersTurn();
    this.since = performance.now();
  }
}
