import type { InputRecord } from '../dead-letter.ts';
import { PipelineError } from '../errors.ts';
import { type KafkaSettings, silentLog } from './admin.ts';
import { createBrokers } from './client.ts';
import { type FetchedBatch, Fetcher } from './consume/fetcher.ts';
import { noBrokerAnswers, unreachable } from './errors.ts';
import { type PositionMap, type ReadFrom, resolveRange, type TopicPosition } from './reader-range.ts';
import { keyOf } from './wire/ask-leaders.ts';
import type { Brokers } from './wire/brokers.ts';

export type { ReadFrom, TopicPosition };

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
