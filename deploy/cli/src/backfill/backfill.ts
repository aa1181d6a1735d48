import {
  decodeRawHeaders,
  encodeReplay,
  type InputRecord,
  inputRecordOfRead,
  lagSince,
  type OutputRecord,
  PipelineError,
  pseudonymsOf,
  REPLAY_HEADER,
  readTopic,
  replayOf,
  type TransactionalWriter,
} from '@email-events/core';
import { normalizeRecord, normalizeSettings } from '@email-events/processors';
import { type EmailEvent, eventTopics, topics } from '@email-events/schemas';
import { type ClickHouse, eventsKept, hidingsOf, type KeptFor } from '@email-events/sink-clickhouse';
import type { Letters } from '../dead-letters/letters.ts';
import { consumerGroups, type PipelineConfig } from '../services.ts';
import { requireKeys } from './keys.ts';
import { type Difference, type Former, knownEvents, oldestKnown, RecentIds } from './known-events.ts';
import { type LetterIndex, readLetterIndex } from './letters.ts';
import type { Retyping } from './retyping.ts';

export interface BackfillOptions {
  readonly config: PipelineConfig;
  readonly letters: Letters;
  readonly clickhouse: ClickHouse;
  /** Undefined: a dry run. */
  readonly writer: TransactionalWriter | undefined;
  /** Puts events that are another type today in place of those that came out; undefined: they stay as they are. */
  readonly retyping: Retyping | undefined;
  /** By the time at which a request reached Kafka, epoch milliseconds; `to` is exclusive. */
  readonly from: number;
  readonly to: number | undefined;
  readonly esps: readonly string[] | undefined;
  readonly sources: readonly string[] | undefined;
  readonly now: number;
  readonly signal: AbortSignal;
  readonly onProgress: (result: BackfillResult) => void;
}

/** Counts of a run; in a dry run, of what it would do. */
export interface BackfillResult {
  /** Requests of the range that were read again. */
  requests: number;
  /** Time of the newest of them, epoch milliseconds. */
  reached: number | null;
  /** Events that never came out, by type. */
  readonly newEvents: { [type: string]: number };
  /** Events that came out before, and would be the same event again. */
  known: number;
  /** Of these, those that today's mapping reads differently. They stay as they are. Counted in a dry run only. */
  different: number;
  /** Of these, what is another type today: by ESP and both types. */
  readonly retyped: { [what: string]: number };
  /** In what they differ: by ESP, type today and field. */
  readonly differences: { [what: string]: number };
  /** Some of them, whole. */
  readonly examples: DifferentEvent[];
  /** Items that have an open dead letter: can be read now, or not yet. They are left to `dlq replay`. */
  readonly letters: { readable: number; failing: number };
  /** Items that an operator discarded. */
  discarded: number;
  /** Events that ClickHouse may have removed by now, since it keeps them no longer: whether they came out nobody knows, so they are left. */
  olderThanKept: number;
  /** Items that cannot be read now although they have no dead letter: the mapping has become worse. */
  failingNow: number;
  /** Requests put back into email.raw for their new events. */
  republished: number;
  /** When the first event was received that ClickHouse holds, epoch milliseconds. */
  oldestKnown: number | null;
}

/** An event that today's mapping reads differently from what came out. */
export interface DifferentEvent {
  readonly event_id: string;
  readonly came_out_as: string;
  readonly esp: string;
  /** As which type today's mapping reads it. */
  readonly type: string;
  readonly recipient: string;
  readonly raw_partition: number;
  readonly raw_offset: number;
  readonly item_index: number;
  readonly fields: Difference['fields'];
}
const EXAMPLES = 100;

const DAY_MS = 86_400_000;
/** Requests whose events are looked up in ClickHouse and published together. */
const CHUNK_EVENTS = 5_000;
const CHUNK_BYTES = 8_000_000;

/**
 * Reads requests again with today's mappings. Puts a request back if it holds events that never came out, and for those events only.
 * Asks ClickHouse which events came out, since it remembers longer than the dedupe window. A second run adds nothing.
 */
export async function backfill(options: BackfillOptions): Promise<BackfillResult> {
  const { config, letters, clickhouse, from, to, signal } = options;
  await requireSinkInStep(config, options.now);
  const oldest = await oldestKnown(clickhouse);
  const kept = await requireKept(clickhouse, config);
  const run = new Backfill(options, await readLetterIndex(letters), oldest, kept);
  await readTopic(config.kafka, {
    topics: [topics.raw],
    from: { timestamp: from },
    ...(to === undefined ? {} : { until: to }),
    signal,
    onRecord: (record) => run.take(inputRecordOfRead(record)),
  });
  if (!signal.aborted) await run.flush();
  return run.result;
}

/** An event that came out and is not yet in ClickHouse must still be in the dedupe window when it comes again. */
async function requireSinkInStep(config: PipelineConfig, now: number): Promise<void> {
  const group = consumerGroups(config).find(({ service }) => service === 'sink-clickhouse');
  if (!group) return;
  const marginMs = Math.min(DAY_MS, (config.topics.retention.seenDays * DAY_MS) / 2);
  const behind = await lagSince(config.kafka, { ...group, topics: eventTopics }, now - marginMs);
  if (behind.length === 0) return;
  const partitions = behind.map(({ topic, partition }) => `${topic}/${partition}`).join(', ');
  throw new PipelineError(
    'BACKFILL_SINK_BEHIND',
    'retry',
    `sink-clickhouse has not yet written events of more than a day ago: ${partitions}`,
  );
}

/** What came out is told by its row, so it must be known for how long rows are kept. */
async function requireKept(clickhouse: ClickHouse, { sinks }: PipelineConfig): Promise<readonly KeptFor[]> {
  const { kept, ttl } = await eventsKept(clickhouse, sinks.clickhouse.database);
  if (kept) return kept;
  throw new PipelineError(
    'BACKFILL_KEEP_UNKNOWN',
    'fatal',
    `the TTL of email_events cannot be read, so nobody can tell what never came out from what came out and is gone: ${ttl}`,
  );
}

/** An event that may be new, and the request that holds it. */
interface Candidate {
  readonly record: InputRecord;
  readonly event: EmailEvent;
}

class Backfill {
  readonly result: BackfillResult;
  private readonly options: BackfillOptions;
  private readonly settings: ReturnType<typeof normalizeSettings>;
  private readonly index: LetterIndex;
  private readonly announced = new RecentIds(500_000);
  private chunk: Candidate[] = [];
  private readonly records = new Set<InputRecord>();
  private bytes = 0;
  private readonly kept: readonly KeptFor[];
  private readonly begunAt = performance.now();

  constructor(options: BackfillOptions, index: LetterIndex, oldest: number | null, kept: readonly KeptFor[]) {
    this.options = options;
    this.kept = kept;
    this.settings = normalizeSettings(options.config);
    this.index = index;
    this.result = {
      requests: 0,
      reached: null,
      newEvents: {},
      known: 0,
      different: 0,
      retyped: {},
      differences: {},
      examples: [],
      letters: { readable: 0, failing: 0 },
      discarded: 0,
      olderThanKept: 0,
      failingNow: 0,
      republished: 0,
      oldestKnown: oldest,
    };
  }

  async take(record: InputRecord): Promise<void> {
    const { result, options } = this;
    if (options.signal.aborted || !this.isMeant(record)) return;
    result.requests++;
    result.reached = Math.max(result.reached ?? 0, record.timestamp);
    await this.read(record);
    if (this.chunk.length >= CHUNK_EVENTS || this.bytes >= CHUNK_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    const { chunk, options } = this;
    this.chunk = [];
    this.records.clear();
    this.bytes = 0;
    if (chunk.length === 0) return;
    const { isKnown, replaced } = await this.askFor(chunk);
    const outputs = republished(chunk, isKnown, (event) => this.announced.add(event.event_id), replaced);
    for (const { type } of outputs.events) {
      this.result.newEvents[type] = (this.result.newEvents[type] ?? 0) + 1;
    }
    this.result.known += chunk.length - outputs.events.length;
    if (options.writer && outputs.records.length > 0)
      await options.writer.write([...outputs.records, ...(await this.marksFor(outputs.events, replaced))]);
    this.result.republished += outputs.records.length;
    options.onProgress(this.result);
  }

  private isMeant({ headers }: InputRecord): boolean {
    const { esps, sources } = this.options;
    const request = decodeRawHeaders(headers);
    if (!request) return esps === undefined && sources === undefined;
    return (esps?.includes(request.esp) ?? true) && (sources?.includes(request.source) ?? true);
  }

  /** Leaves out items with a dead letter: they were not lost, and an operator decides about them with `dlq`. */
  private async read(record: InputRecord): Promise<void> {
    const { index, result, settings } = this;
    const { topic, partition, offset } = replayOf(record) ?? record;
    const origin = `${topic}/${partition}/${offset}`;
    const read = await normalizeRecord(record, settings).catch(() => undefined);
    if (!read) {
      // The service would set it aside.
      result.failingNow++;
      return;
    }
    const { events, failures } = read;
    // A request that was put back before is counted where it was first.
    const isCopy = replayOf(record) !== undefined;
    for (const { item } of isCopy ? [] : failures) {
      const status = index.ofItem(origin, item?.index ?? -1);
      if (status === undefined) result.failingNow++;
      else if (status === 'discarded') result.discarded++;
      else result.letters.failing++;
    }
    const withLetter = new Map<number, string>();
    for (const event of events) {
      const status = index.ofItem(origin, event.item_index) ?? index.ofEvent(event);
      if (status === 'open' || status === 'discarded') withLetter.set(event.item_index, status);
      else if (!isOlderThanKept(event, this.kept, this.now)) this.consider(record, event);
      else if (!isCopy) result.olderThanKept++;
    }
    for (const status of isCopy ? [] : withLetter.values()) {
      if (status === 'discarded') result.discarded++;
      else result.letters.readable++;
    }
  }

  private get now(): number {
    return this.options.now + performance.now() - this.begunAt;
  }

  private consider(record: InputRecord, event: EmailEvent): void {
    this.chunk.push({ record, event });
    if (this.records.has(record)) return;
    this.records.add(record);
    this.bytes += record.value?.length ?? 0;
  }

  private async askFor(chunk: readonly Candidate[]): Promise<{
    readonly isKnown: (event: EmailEvent) => boolean;
    /** The event that came out before, by the id of the one that takes its place. */
    readonly replaced: ReadonlyMap<string, Former>;
  }> {
    const { config, clickhouse, writer, retyping } = this.options;
    const unsure = chunk.map(({ event }) => event).filter((event) => !this.isAccountedFor(event));
    const { ids, different, retyped } = await knownEvents(clickhouse, unsure, {
      compare: writer === undefined,
      hidings: hidingsOf(config).hidings,
    });
    const replaced = new Map<string, Former>();
    for (const event of unsure) {
      const found = different.get(event.event_id);
      if (found) this.tell(event, found);
      const former = retyped.get(event.event_id);
      if (!former) continue;
      const what = `${event.esp}: ${former.type} → ${event.type}`;
      this.result.retyped[what] = (this.result.retyped[what] ?? 0) + 1;
      if (retyping?.mayReplace(former.cameOutAs)) replaced.set(event.event_id, former);
    }
    const isKnown = (event: EmailEvent) =>
      this.isAccountedFor(event) || (ids.has(event.event_id) && !replaced.has(event.event_id));
    const originals = chunk.filter(({ record }) => replayOf(record) === undefined).map(({ event }) => event);
    await requireKeys(clickhouse, originals, isKnown, pseudonymsOf(config));
    return { isKnown, replaced };
  }

  private async marksFor(
    events: readonly EmailEvent[],
    replaced: ReadonlyMap<string, Former>,
  ): Promise<OutputRecord[]> {
    const by = new Map<string, EmailEvent>();
    for (const event of events) {
      const former = replaced.get(event.event_id)?.cameOutAs;
      if (former !== undefined && !by.has(former)) by.set(former, event);
    }
    return by.size === 0 ? [] : ((await this.options.retyping?.marksFor(by)) ?? []);
  }

  private tell(event: EmailEvent, { cameOutAs, fields }: Difference): void {
    const { result } = this;
    result.different++;
    for (const { name } of fields) {
      const what = `${event.esp} ${event.type}: ${name}`;
      result.differences[what] = (result.differences[what] ?? 0) + 1;
    }
    if (result.examples.length >= EXAMPLES) return;
    const { event_id, esp, type, recipient, raw_partition, raw_offset, item_index } = event;
    const from = { raw_partition, raw_offset, item_index };
    result.examples.push({ event_id, came_out_as: cameOutAs, esp, type, recipient, ...from, fields });
  }

  private isAccountedFor({ event_id }: EmailEvent): boolean {
    return this.announced.has(event_id) || this.index.emitted.has(event_id);
  }
}

/** A row goes when its time has come by the server's clock, which may be ahead. Milliseconds. */
const CLOCKS_MS = 3_600_000;

/** Pure. Whether the row of an event may be gone by `now`, epoch milliseconds. */
export const isOlderThanKept = (
  event: Pick<EmailEvent, KeptFor['column']>,
  kept: readonly KeptFor[],
  now: number,
): boolean => kept.some(({ column, ms }) => event[column] < now - ms + CLOCKS_MS);

/** Pure but for `onNew`: the requests to put back for events that are not known, each event once. */
export function republished(
  chunk: readonly Candidate[],
  isKnown: (event: EmailEvent) => boolean,
  onNew: (event: EmailEvent) => void,
  replaced: ReadonlyMap<string, Pick<Former, 'name'>> = new Map(),
): { records: OutputRecord[]; events: EmailEvent[] } {
  const wanted = new Map<InputRecord, EmailEvent[]>();
  const events: EmailEvent[] = [];
  for (const { record, event } of chunk) {
    if (isKnown(event)) continue;
    onNew(event);
    events.push(event);
    const of = wanted.get(record);
    if (of) of.push(event);
    else wanted.set(record, [event]);
  }
  return { records: [...wanted].map(([record, of]) => putBack(record, of, replaced)), events };
}

/** The events are named: should the services still have the old mapping, then nothing comes of it. */
function putBack(
  record: InputRecord,
  events: readonly EmailEvent[],
  replaced: ReadonlyMap<string, Pick<Former, 'name'>>,
): OutputRecord {
  const { topic, partition, key, value, headers } = record;
  const before = replayOf(record);
  const supersedes = [...new Set(events.flatMap(({ event_id }) => replaced.get(event_id)?.name ?? []))];
  const replay = encodeReplay({
    reason: 'backfill',
    topic,
    partition: (before ?? record).partition,
    offset: (before ?? record).offset,
    recordedAt: before ? before.recordedAt : record.timestamp,
    sink: null,
    items: [...new Set(events.map(({ item_index }) => item_index))],
    events: events.map(({ event_id }) => event_id),
    ...(supersedes.length > 0 ? { supersedes } : {}),
    letters: [],
  });
  return { topic, partition, key, value, headers: { ...headers, [REPLAY_HEADER]: replay } };
}
