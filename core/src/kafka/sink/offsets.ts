import type { Admin } from 'kafkajs';
import type { CommittedOffset } from './intent.ts';

/** Offsets that a partition has: the first one, and the one after the last. */
export interface LogBounds {
  readonly low: number;
  readonly high: number;
}

export interface OffsetToCommit {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly metadata: string | null;
}

export interface GroupOffsets {
  readonly committed: readonly CommittedOffset[];
  boundsOf(partition: { readonly topic: string; readonly partition: number }): LogBounds | undefined;
}

/**
 * What a group has committed to these topics, and where their logs begin and end. In this order: an end that was read
 * first may lie before what is committed by now, which looks like a loss.
 */
export async function readOffsets(
  admin: Admin,
  groupId: string,
  topics: readonly string[],
): Promise<GroupOffsets> {
  const offsets = topics.length === 0 ? [] : await admin.fetchOffsets({ groupId, topics: [...topics] });
  const ends = await Promise.all(
    topics.map(async (topic) => ({ topic, ends: await admin.fetchTopicOffsets(topic) })),
  );
  const committed = offsets.flatMap(({ topic, partitions }) =>
    partitions.map(({ partition, offset, metadata }) => ({
      topic,
      partition,
      offset: Number(offset) < 0 ? null : Number(offset),
      metadata,
    })),
  );
  const bounds = new Map<string, Map<number, LogBounds>>();
  for (const { topic, ends: partitions } of ends) {
    const each = partitions.map(({ partition, low, high }) => {
      return [partition, { low: Number(low), high: Number(high) }] as const;
    });
    bounds.set(topic, new Map(each));
  }
  return { committed, boundsOf: ({ topic, partition }) => bounds.get(topic)?.get(partition) };
}

/** As kafkajs takes them. Its type does not mention the metadata; its encoder writes them. */
export function offsetsByTopic(offsets: readonly OffsetToCommit[]) {
  const topics = new Map<string, { partition: number; offset: string; metadata: string | null }[]>();
  for (const { topic, partition, offset, metadata } of offsets) {
    const partitions = topics.get(topic) ?? [];
    partitions.push({ partition, offset: String(offset), metadata });
    topics.set(topic, partitions);
  }
  return { topics: [...topics].map(([topic, partitions]) => ({ topic, partitions })) };
}
