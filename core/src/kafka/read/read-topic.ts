import { PipelineError } from '../../errors.ts';
import type { Brokers } from '../client/brokers.ts';
import { createBrokers, type KafkaSettings, silentLog } from '../client/client.ts';
import { keyOf, logBounds, offsetsByTime, partitionsOfAll, type TopicPartition } from '../client/offsets.ts';
import { AnswerIncomplete, isTopicUnknown, noBrokerAnswers, unreachable } from '../errors.ts';
import type { InputRecord } from '../records.ts';
import { type FetchedBatch, Fetcher } from './fetcher.ts';

export interface ReadRecord extends Omit<InputRecord, 'offset'> {
  readonly offset: bigint;
}

export interface ReadOptions {
  readonly topics: readonly string[];
  readonly from: ReadFrom;
  /** Not what was written at this time or later (epoch milliseconds). Without follow only. */
  readonly until?: number;
  /** Go on with what is written later, until the signal. Default: stop at the end as it was at the start. */
  readonly follow?: boolean;
  /** Called with each record of a partition in order, one at a time; its rejection ends the reading with that error. */
  onRecord(record: ReadRecord): void | Promise<void>;
  /** Called once, when nothing that is written from now on can be missed. */
  onStart?(): void;
  readonly signal?: AbortSignal;
  /** Without follow: time without any progress after which KAFKA_READ_STALLED is thrown. Default 15 s. */
  readonly stallMs?: number;
}

const STALL_MS = 15_000;
const WATCH_MS = 200;
const MAX_WAIT_MS = 100;
const PARTITION_BYTES = 1_048_576;

/**
 * Reads committed records and leaves no trace: it needs no consumer group. Resolves at the end, or when the signal says so. Goes on where
 * it was when a leader moves or a broker restarts.
 * Throws KAFKA_UNREACHABLE, KAFKA_TOPIC_MISSING, KAFKA_READ_STALLED, or what onRecord threw.
 */
export async function readTopic(settings: KafkaSettings, options: ReadOptions): Promise<void> {
  if (options.signal?.aborted) return;
  const brokers = createBrokers(settings, 'reader', silentLog);
  try {
    const { starts, ends } = await resolveRange(brokers, options.topics, options.from, options.until);
    options.onStart?.();
    await new Reading(brokers, settings, options, starts, ends).run();
  } catch (error) {
    throw unreachable(error, settings) ?? error;
  } finally {
    brokers.close();
  }
}

class Reading {
  private readonly settings: KafkaSettings;
  private readonly options: ReadOptions;
  private readonly starts: PositionMap;
  private readonly ends: PositionMap | undefined;
  /** Partitions that are not at their end yet; undefined when following. */
  private readonly unread: Set<string> | undefined;
  private readonly fetcher: Fetcher;
  private readonly over = new AbortController();
  private progressAt = performance.now();
  /** A record is being handed over: however long that takes, the broker is not to blame. */
  private busy = false;

  constructor(
    brokers: Brokers,
    settings: KafkaSettings,
    options: ReadOptions,
    starts: PositionMap,
    ends: PositionMap,
  ) {
    this.settings = settings;
    this.options = options;
    this.starts = starts;
    this.ends = options.follow ? undefined : ends;
    const left = [...ends].filter(([key, end]) => (starts.get(key) ?? end) < end).map(([key]) => key);
    this.unread = options.follow ? undefined : new Set(left);
    this.fetcher = new Fetcher({
      brokers,
      requestTimeoutMs: settings.requestTimeoutMs,
      ...{ minBytes: 1, maxWaitMs: MAX_WAIT_MS, maxBytesPerPartition: PARTITION_BYTES, concurrency: 1 },
      onBatch: (batch) => this.take(batch),
    });
  }

  async run(): Promise<void> {
    const { unread, over } = this;
    if (unread?.size === 0) return;
    for (const [key, position] of this.starts) {
      if (unread && !unread.has(key)) continue;
      const at = key.lastIndexOf('/');
      const of = { topic: key.slice(0, at), partition: Number(key.slice(at + 1)) };
      this.fetcher.begin(of, Number(position));
    }
    const stop = () => over.abort();
    this.options.signal?.addEventListener('abort', stop);
    let stalled: PipelineError | undefined;
    const watch = setInterval(() => {
      stalled = this.stalled();
      if (stalled) stop();
    }, WATCH_MS);
    try {
      await this.fetcher.run(over.signal);
    } finally {
      clearInterval(watch);
      this.options.signal?.removeEventListener('abort', stop);
    }
    if (stalled) throw stalled;
  }

  private async take({ topic, partition, records, next }: FetchedBatch): Promise<void> {
    const key = keyOf({ topic, partition });
    const end = this.ends?.get(key);
    this.progressAt = performance.now();
    for (const record of records) {
      if (this.over.signal.aborted) return;
      const offset = BigInt(record.offset);
      if (end !== undefined && offset >= end) break;
      this.busy = true;
      try {
        await this.options.onRecord({ ...record, offset });
      } finally {
        this.busy = false;
        this.progressAt = performance.now();
      }
    }
    if (end === undefined || BigInt(next) < end) return;
    this.unread?.delete(key);
    this.fetcher.forget({ topic, partition });
    if (this.unread?.size === 0) this.over.abort();
  }

  private stalled(): PipelineError | undefined {
    const { stallMs = STALL_MS } = this.options;
    if (!this.unread || this.busy || performance.now() - this.progressAt <= stallMs) return undefined;
    const away = this.fetcher.states().find(({ problem }) => problem === 'KAFKA_UNREACHABLE');
    if (away) {
      return noBrokerAnswers(this.settings.brokers);
    }
    return new PipelineError('KAFKA_READ_STALLED', 'retry', `no progress for ${stallMs} ms`);
  }
}

/** A record as stages see it. */
export function inputRecordOfRead(record: ReadRecord): InputRecord {
  return { ...record, offset: Number(record.offset) };
}

/** Where reading begins: a place on every partition, or an offset for each of some partitions. */
export type ReadFrom =
  | 'beginning'
  | 'end'
  /** Records written at this time (epoch milliseconds) or later. */
  | { readonly timestamp: number }
  /** Only these partitions, each from its offset. */
  | { readonly positions: readonly TopicPosition[] };

export interface TopicPosition {
  readonly topic: string;
  readonly partition: number;
  /** Next record to read. */
  readonly offset: bigint;
}

/** Offsets by topic and partition. */
type PositionMap = ReadonlyMap<string, bigint>;

/**
 * From where to where: `ends` are the ends now, of committed records and transaction markers alike, or before the first
 * record that was written at `until` or later.
 */
async function resolveRange(
  brokers: Brokers,
  names: readonly string[],
  from: ReadFrom,
  until?: number,
): Promise<{ starts: PositionMap; ends: PositionMap }> {
  const partitions = await existing(brokers, names);
  const asked = typeof from === 'object' && 'positions' in from ? from.positions : undefined;
  const wantedAt = new Map(asked?.map((at) => [keyOf(at), at.offset]));
  const own = asked ? partitions.filter((of) => wantedAt.has(keyOf(of))) : partitions;
  const bounds = await logBounds(brokers, own);
  // Records whose transaction has not ended yet lie behind the end of what is committed; they were not written from now on.
  const now = from === 'end' ? await logBounds(brokers, own, 'uncommitted') : undefined;
  const since = typeof from === 'object' && 'timestamp' in from ? from.timestamp : undefined;
  const firsts = since === undefined ? undefined : await offsetsByTime(brokers, own, since);
  const lasts = until === undefined ? undefined : await offsetsByTime(brokers, own, until);
  const starts = new Map<string, bigint>();
  const ends = new Map<string, bigint>();
  for (const of of own) {
    const key = keyOf(of);
    const log = bounds.get(key);
    if (!log) throw new AnswerIncomplete(key);
    const [low, high] = [BigInt(log.low), BigInt(log.high)];
    // Where nothing is so young, the end is.
    const timed = (found: ReadonlyMap<string, number | null> | undefined) =>
      found === undefined ? undefined : BigInt(found.get(key) ?? high);
    const written = now?.get(key);
    const start = wantedAt.get(key) ?? (written ? BigInt(written.high) : (timed(firsts) ?? low));
    starts.set(key, max(start, low));
    ends.set(key, min(high, timed(lasts) ?? high));
  }
  return { starts, ends };
}

/** Of several brokers one may not have heard of a topic yet that was made just now; of a cluster, none may answer just now. */
const LOOK_MS = 3_000;

/** Throws KAFKA_TOPIC_MISSING (fatal), with all that are missing. */
async function existing(brokers: Brokers, names: readonly string[]): Promise<TopicPartition[]> {
  const found: TopicPartition[] = [];
  const missing: string[] = [];
  for (const name of names) {
    try {
      for (const of of await partitionsOfAll(brokers, [name], { forMs: LOOK_MS })) found.push(of);
    } catch (error) {
      if (!isTopicUnknown(error)) throw error;
      missing.push(name);
    }
  }
  if (missing.length === 0) return found;
  throw new PipelineError('KAFKA_TOPIC_MISSING', 'fatal', `no such topic: ${missing.join(', ')}`);
}

const max = (a: bigint, b: bigint) => (a > b ? a : b);
const min = (a: bigint, b: bigint) => (a < b ? a : b);

/** The beginning of a partition. */
export interface FirstRecord {
  readonly partition: number;
  /** True: records were there before, and have expired. */
  readonly hasExpired: boolean;
  /** Null: there is none (any more). */
  readonly record: ReadRecord | null;
}

/** The first committed record of each partition, as far as it is kept. Throws as readTopic does. */
export async function firstRecords(settings: KafkaSettings, topic: string): Promise<FirstRecord[]> {
  const partitions = await beginnings(settings, topic);
  return Promise.all(
    partitions.map(async ({ partition, low, isEmpty }) => {
      const at = { topic, partition, offset: BigInt(low) };
      // One reader for each partition, which ends with the first record, or at the end of a partition that has none but markers.
      return { partition, hasExpired: low > 0, record: isEmpty ? null : await firstFrom(settings, at) };
    }),
  );
}

async function firstFrom(settings: KafkaSettings, at: TopicPosition): Promise<ReadRecord | null> {
  const found = new AbortController();
  let first: ReadRecord | null = null;
  const { signal } = found;
  const onRecord = (record: ReadRecord) => {
    first ??= record;
    found.abort();
  };
  await readTopic(settings, { topics: [at.topic], from: { positions: [at] }, signal, onRecord });
  return first;
}

async function beginnings(settings: KafkaSettings, topic: string) {
  const brokers = createBrokers(settings, 'reader', silentLog);
  try {
    const partitions = await partitionsOfAll(brokers, [topic]);
    const bounds = await logBounds(brokers, partitions);
    return partitions.map((of) => {
      const own = bounds.get(keyOf(of));
      if (!own) throw new AnswerIncomplete(keyOf(of));
      return { partition: of.partition, low: own.low, isEmpty: own.low >= own.high };
    });
  } catch (error) {
    throw unreachable(error, settings) ?? error;
  } finally {
    brokers.close();
  }
}
