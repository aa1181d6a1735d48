import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Consumer, IHeaders, KafkaMessage } from 'kafkajs';
import type { InputRecord } from '../dead-letter.ts';
import { PipelineError } from '../errors.ts';
import { type KafkaSettings, readWithAdmin, silentLog, unreachable, withAdmin } from './admin.ts';
import { createKafka } from './client.ts';
import { inputRecordOf } from './input-record.ts';
import { keyOf, type PositionMap, type ReadFrom, resolveRange, type TopicPosition } from './reader-range.ts';

export type { ReadFrom, TopicPosition };

export interface ReadRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: IHeaders;
  /** Epoch milliseconds. */
  readonly timestamp: number;
}

export interface ReadOptions {
  readonly topics: readonly string[];
  readonly from: ReadFrom;
  /** Not what was written at this time or later (epoch milliseconds). Without follow only. */
  readonly until?: number;
  /** Go on with what is written later, until the signal. Default: stop at the end as it was at the start. */
  readonly follow?: boolean;
  /** Called with each record of a partition in order; its rejection ends the reading with that error. */
  onRecord(record: ReadRecord): void | Promise<void>;
  /** Called once, when nothing that is written from now on can be missed. */
  onStart?(): void;
  readonly signal?: AbortSignal;
  /** Without follow: time without any progress after which KAFKA_READ_STALLED is thrown. Default 15 s. */
  readonly stallMs?: number;
}

const STALL_MS = 15_000;
const RETRY_MS = 200;

/**
 * Reads committed records and leaves no trace: a consumer group of its own that commits nothing and is deleted.
 * Resolves at the end, or when the signal says so. Goes on where it was when a broker restarts.
 * Throws KAFKA_UNREACHABLE, KAFKA_TOPIC_MISSING, KAFKA_READ_STALLED, or what onRecord threw.
 */
export async function readTopic(settings: KafkaSettings, options: ReadOptions): Promise<void> {
  const { follow = false, signal, stallMs = STALL_MS } = options;
  if (signal?.aborted) return;
  const { starts, ends } = await readWithAdmin(settings, (admin) =>
    resolveRange(admin, options.topics, options.from, options.until),
  );
  const unread = new Map([...ends].filter(([key, end]) => (starts.get(key) ?? end) < end));
  if (unread.size === 0 && !follow) return options.onStart?.();
  const reading: Reading = {
    options,
    positions: new Map(starts),
    unread: follow ? undefined : unread,
    ends: follow ? undefined : ends,
    stallMs,
    progressAt: performance.now(),
    busy: false,
    started: false,
  };
  for (;;) {
    try {
      return await readOnce(settings, reading);
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      if (performance.now() - reading.progressAt > stallMs)
        throw unreachable(error.cause, settings) ?? error.cause;
      await delay(RETRY_MS);
    }
  }
}

/** One reading over all the consumers that it takes. */
interface Reading {
  readonly options: ReadOptions;
  /** Next record to hand over, by partition. */
  readonly positions: Map<string, bigint>;
  /** What is still to be read, by partition; undefined when following. */
  readonly unread: Map<string, bigint> | undefined;
  readonly ends: PositionMap | undefined;
  readonly stallMs: number;
  progressAt: number;
  /** A record is being handed over: however long that takes, the broker is not to blame. */
  busy: boolean;
  started: boolean;
}

/** The consumer gave up for a reason that may pass: a coordinator that loads, a broker that restarts. */
class Interrupted extends Error {}

async function readOnce(settings: KafkaSettings, reading: Reading): Promise<void> {
  const groupId = `${settings.groupPrefix}-reader-${randomUUID()}`;
  const consumer = createKafka(settings, 'reader', silentLog).consumer({
    groupId,
    readUncommitted: false,
    allowAutoTopicCreation: false,
    maxWaitTimeInMs: 100,
    // kafkajs's own restart would forget the places that were sought.
    retry: { restartOnFailure: async () => false },
  });
  try {
    await consume(consumer, reading);
  } finally {
    await consumer.disconnect();
    // Best effort: a group that committed nothing is forgotten by the broker anyway.
    await withAdmin(settings, (admin) => admin.deleteGroups([groupId])).catch(() => {});
  }
}

/** Resolves when all is read, or the signal says so. */
function consume(consumer: Consumer, reading: Reading): Promise<void> {
  const { options, unread, stallMs } = reading;
  return new Promise((resolve, reject) => {
    let finished = false;
    const finish = (error?: unknown) => {
      if (finished) return;
      finished = true;
      clearInterval(watch);
      options.signal?.removeEventListener('abort', stop);
      if (error === undefined) resolve();
      else reject(error);
    };
    const stop = () => finish();
    options.signal?.addEventListener('abort', stop);
    const watch = setInterval(() => {
      if (!unread || reading.busy || performance.now() - reading.progressAt <= stallMs) return;
      finish(new PipelineError('KAFKA_READ_STALLED', 'retry', `no progress for ${stallMs} ms`));
    }, RETRY_MS);

    // Also fires for batches that hold nothing but transaction markers, which eachBatch never sees.
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
      if (finished) return;
      const key = keyOf(payload.topic, payload.partition);
      const next = BigInt(payload.lastOffset) + 1n;
      if (next > (reading.positions.get(key) ?? next)) reading.positions.set(key, next);
      reading.progressAt = performance.now();
      if (next >= (unread?.get(key) ?? next + 1n)) unread?.delete(key);
      if (unread?.size === 0) finish();
    });
    const fail = (error: unknown) => finish(mayPass(error) ? new Interrupted('', { cause: error }) : error);
    consumer.on(consumer.events.CRASH, ({ payload }) => fail(payload.error));
    run(consumer, reading, () => finished, finish).catch(fail);
  });
}

const mayPass = (error: unknown) =>
  (error as { retriable?: unknown }).retriable === true ||
  (error as { name?: unknown }).name === 'KafkaJSNumberOfRetriesExceeded';

async function run(
  consumer: Consumer,
  reading: Reading,
  finished: () => boolean,
  fail: (error: unknown) => void,
): Promise<void> {
  const { options, positions, ends } = reading;
  await consumer.connect();
  // Partitions that nobody asked for stay at their end; the others get their place below.
  await consumer.subscribe({ topics: [...options.topics], fromBeginning: false });
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch: { topic, partition, messages }, heartbeat }) => {
      const key = keyOf(topic, partition);
      const end = ends?.get(key);
      for (const message of messages) {
        const record = recordOf(topic, partition, message);
        // On a partition that nobody asked for, ahead of the seek, or behind the end.
        if (record.offset < (positions.get(key) ?? record.offset + 1n)) continue;
        if (finished() || (end !== undefined && record.offset >= end)) return;
        try {
          reading.busy = true;
          await options.onRecord(record);
        } catch (error) {
          return fail(error);
        } finally {
          reading.busy = false;
          reading.progressAt = performance.now();
        }
        positions.set(key, record.offset + 1n);
        await heartbeat();
      }
    },
  });
  for (const [key, offset] of positions) {
    const at = key.lastIndexOf('/');
    consumer.seek({ topic: key.slice(0, at), partition: Number(key.slice(at + 1)), offset: String(offset) });
  }
  if (!reading.started) options.onStart?.();
  reading.started = true;
}

/** A record as stages see it. */
export function inputRecordOfRead({ offset, timestamp, ...record }: ReadRecord): InputRecord {
  const message = { ...record, offset: String(offset), timestamp: String(timestamp), attributes: 0 };
  return inputRecordOf(record, message);
}

function recordOf(topic: string, partition: number, message: KafkaMessage): ReadRecord {
  const { key, value, headers, offset, timestamp } = message;
  return {
    topic,
    partition,
    offset: BigInt(offset),
    key,
    value,
    headers: headers ?? {},
    timestamp: Number(timestamp),
  };
}
