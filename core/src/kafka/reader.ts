import { randomUUID } from 'node:crypto';
import type { Consumer, IHeaders, KafkaMessage } from 'kafkajs';
import { PipelineError } from '../errors.ts';
import { type KafkaSettings, silentLog, unreachable, withAdmin } from './admin.ts';
import { createKafka } from './client.ts';
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

/**
 * Reads committed records and leaves no trace: a consumer group of its own that commits nothing and is deleted.
 * Resolves at the end, or when the signal says so. Throws KAFKA_UNREACHABLE, KAFKA_TOPIC_MISSING,
 * KAFKA_READ_STALLED, or what onRecord threw.
 */
export async function readTopic(settings: KafkaSettings, options: ReadOptions): Promise<void> {
  const { follow = false, signal } = options;
  if (signal?.aborted) return;
  const range = await withAdmin(settings, (admin) => resolveRange(admin, options.topics, options.from));
  const unread = new Map([...range.ends].filter(([key, end]) => (range.starts.get(key) ?? end) < end));
  if (unread.size === 0 && !follow) return options.onStart?.();

  const groupId = `${settings.groupPrefix}-reader-${randomUUID()}`;
  const consumer = createKafka(settings, 'reader', silentLog).consumer({
    groupId,
    readUncommitted: false,
    allowAutoTopicCreation: false,
    maxWaitTimeInMs: 100,
    retry: { restartOnFailure: async () => false },
  });
  try {
    await consume(consumer, options, range.starts, follow ? undefined : unread);
  } catch (error) {
    throw unreachable(error, settings) ?? error;
  } finally {
    await consumer.disconnect();
    // Best effort: a group that committed nothing is forgotten by the broker anyway.
    await withAdmin(settings, (admin) => admin.deleteGroups([groupId])).catch(() => {});
  }
}

/** Resolves when `unread` is empty (undefined: never by itself) or the signal says so. */
function consume(
  consumer: Consumer,
  options: ReadOptions,
  starts: PositionMap,
  unread: Map<string, bigint> | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let finished = false;
    const stallMs = options.stallMs ?? STALL_MS;
    const stalled = () =>
      finish(new PipelineError('KAFKA_READ_STALLED', 'retry', `no progress for ${stallMs} ms`));
    let timer = unread && setTimeout(stalled, stallMs);
    const finish = (error?: unknown) => {
      if (finished) return;
      finished = true;
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', stop);
      if (error === undefined) resolve();
      else reject(error);
    };
    const stop = () => finish();
    options.signal?.addEventListener('abort', stop);

    // Also fires for batches that hold nothing but transaction markers, which eachBatch never sees.
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
      if (!unread || finished) return;
      clearTimeout(timer);
      timer = setTimeout(stalled, stallMs);
      const key = keyOf(payload.topic, payload.partition);
      const end = unread.get(key);
      if (end !== undefined && BigInt(payload.lastOffset) + 1n >= end) unread.delete(key);
      if (unread.size === 0) finish();
    });
    consumer.on(consumer.events.CRASH, ({ payload }) => finish(payload.error));
    run(consumer, options, starts, unread && new Map(unread), () => finished, finish).catch(finish);
  });
}

async function run(
  consumer: Consumer,
  options: ReadOptions,
  starts: PositionMap,
  ends: PositionMap | undefined,
  finished: () => boolean,
  fail: (error: unknown) => void,
): Promise<void> {
  await consumer.connect();
  // Partitions that nobody asked for stay at their end; the others get their place below.
  await consumer.subscribe({ topics: [...options.topics], fromBeginning: false });
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch: { topic, partition, messages } }) => {
      const key = keyOf(topic, partition);
      const [start, end] = [starts.get(key), ends?.get(key)];
      // What is read ahead of the seek, behind the end or on a partition that nobody asked for.
      if (start === undefined || (ends && end === undefined)) return;
      for (const message of messages) {
        const record = recordOf(topic, partition, message);
        if (record.offset < start) continue;
        if (finished() || (end !== undefined && record.offset >= end)) return;
        try {
          await options.onRecord(record);
        } catch (error) {
          return fail(error);
        }
      }
    },
  });
  for (const [key, offset] of starts) {
    const at = key.lastIndexOf('/');
    const [topic, partition] = [key.slice(0, at), Number(key.slice(at + 1))];
    consumer.seek({ topic, partition, offset: String(offset) });
  }
  options.onStart?.();
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
