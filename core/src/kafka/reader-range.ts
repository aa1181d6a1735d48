import type { Admin } from 'kafkajs';
import { PipelineError } from '../errors.ts';

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
export type PositionMap = ReadonlyMap<string, bigint>;

export const keyOf = (topic: string, partition: number) => `${topic}/${partition}`;

/**
 * From where to where: `ends` are the ends now, of committed records and transaction markers alike, or before the first
 * record that was written at `until` or later.
 */
export async function resolveRange(
  admin: Admin,
  names: readonly string[],
  from: ReadFrom,
  until?: number,
): Promise<{ starts: PositionMap; ends: PositionMap }> {
  const existing = new Set(await admin.listTopics());
  const missing = names.filter((name) => !existing.has(name));
  if (missing.length > 0) {
    throw new PipelineError('KAFKA_TOPIC_MISSING', 'fatal', `no such topic: ${missing.join(', ')}`);
  }
  const starts = new Map<string, bigint>();
  const ends = new Map<string, bigint>();
  const asked = typeof from === 'object' && 'positions' in from ? from.positions : undefined;
  await Promise.all(
    names.map(async (topic) => {
      const bounds = await admin.fetchTopicOffsets(topic);
      const times =
        typeof from === 'object' && 'timestamp' in from
          ? await admin.fetchTopicOffsetsByTimestamp(topic, from.timestamp)
          : [];
      const lasts = until === undefined ? [] : await admin.fetchTopicOffsetsByTimestamp(topic, until);
      for (const { partition, low, high } of bounds) {
        const key = keyOf(topic, partition);
        const wanted = asked?.find((p) => p.topic === topic && p.partition === partition)?.offset;
        if (asked && wanted === undefined) continue;
        const time = times.find((at) => at.partition === partition)?.offset;
        const start = wanted ?? (from === 'end' ? high : (time ?? low));
        const last = lasts.find((at) => at.partition === partition)?.offset;
        ends.set(key, min(BigInt(high), BigInt(last ?? high)));
        starts.set(key, max(BigInt(start), BigInt(low)));
      }
    }),
  );
  return { starts, ends };
}

const max = (a: bigint, b: bigint) => (a > b ? a : b);
const min = (a: bigint, b: bigint) => (a < b ? a : b);
