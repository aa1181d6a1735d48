import type { Admin } from 'kafkajs';
import { type KafkaSettings, readWithAdmin } from './admin.ts';
import { readTopic, type TopicPosition } from './reader.ts';

/** How far a consumer group is on one partition. */
export interface PartitionLag {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  /** Null: nothing was ever committed. */
  readonly committed: bigint | null;
  /** End of what is committed to the partition. */
  readonly end: bigint;
  /** Records that the group has not dealt with. An upper bound if not `exact`. */
  readonly lag: number;
  /** False: too far behind to be worth counting, so transaction markers are counted as records. */
  readonly exact: boolean;
}

/** A gap of at most this many offsets is read and its records counted. */
const COUNTED_GAP = 200n;

/**
 * What each group has still to do on these topics. An end offset also counts the markers that transactions leave
 * behind and that no consumer ever sees, so a group that has read everything may stay behind it for good.
 * Small gaps are therefore read: only records count.
 */
export async function groupLag(
  settings: KafkaSettings,
  groups: readonly { readonly group: string; readonly topics: readonly string[] }[],
): Promise<PartitionLag[]> {
  const gaps = await readWithAdmin(settings, (admin) => gapsOf(admin, groups));
  const small = gaps.filter(({ lag }) => lag > 0 && BigInt(lag) <= COUNTED_GAP);
  const counted = await countRecords(settings, small);
  return gaps.map((gap) => {
    const records = counted.get(idOf(gap));
    return records === undefined ? gap : { ...gap, lag: records, exact: true };
  });
}

/** Partitions on which a group has not yet dealt with all records that were written before this time (epoch milliseconds). */
export async function lagSince(
  settings: KafkaSettings,
  group: { readonly group: string; readonly topics: readonly string[] },
  before: number,
): Promise<PartitionLag[]> {
  const behind = (await groupLag(settings, [group])).filter(({ lag }) => lag > 0);
  const names = [...new Set(behind.map(({ topic }) => topic))];
  const offsets = await readWithAdmin(settings, async (admin) =>
    Promise.all(
      names.map(async (topic) => [topic, await admin.fetchTopicOffsetsByTimestamp(topic, before)] as const),
    ),
  );
  const reached = new Map(offsets);
  return behind.filter(({ topic, partition, committed }) => {
    const at = reached.get(topic)?.find((place) => place.partition === partition)?.offset ?? 0;
    return (committed ?? 0n) < BigInt(at);
  });
}

async function gapsOf(
  admin: Admin,
  groups: readonly { readonly group: string; readonly topics: readonly string[] }[],
): Promise<PartitionLag[]> {
  const existing = new Set(await admin.listTopics());
  const present = groups.map(({ group, topics }) => ({
    group,
    topics: topics.filter((topic) => existing.has(topic)),
  }));
  const names = [...new Set(present.flatMap(({ topics }) => topics))];
  const bounds = new Map(
    await Promise.all(names.map(async (topic) => [topic, await admin.fetchTopicOffsets(topic)] as const)),
  );
  const lags = present.map(async ({ group, topics }) => {
    if (topics.length === 0) return [];
    const offsets = await admin.fetchOffsets({ groupId: group, topics });
    return offsets.flatMap(({ topic, partitions }) =>
      (bounds.get(topic) ?? []).map(({ partition, low, high }) => {
        const offset = BigInt(partitions.find((p) => p.partition === partition)?.offset ?? -1);
        const from = offset < BigInt(low) ? BigInt(low) : offset;
        const gap = Math.max(0, Number(BigInt(high) - from));
        return {
          group,
          topic,
          partition,
          committed: offset < 0n ? null : offset,
          end: BigInt(high),
          lag: gap,
          exact: gap === 0,
        };
      }),
    );
  });
  return (await Promise.all(lags)).flat();
}

/** Records between the committed offset and the end of each gap, all gaps of a group in one reading. */
async function countRecords(
  settings: KafkaSettings,
  gaps: readonly PartitionLag[],
): Promise<Map<string, number>> {
  const counts = new Map(gaps.map((gap) => [idOf(gap), 0]));
  for (const group of new Set(gaps.map((gap) => gap.group))) {
    const own = gaps.filter((gap) => gap.group === group);
    const positions: TopicPosition[] = own.map(({ topic, partition, end, lag }) => ({
      topic,
      partition,
      offset: end - BigInt(lag),
    }));
    await readTopic(settings, {
      topics: [...new Set(own.map(({ topic }) => topic))],
      from: { positions },
      onRecord: ({ topic, partition }) => {
        const id = idOf({ group, topic, partition });
        counts.set(id, (counts.get(id) ?? 0) + 1);
      },
    });
  }
  return counts;
}

const idOf = ({ group, topic, partition }: { group: string; topic: string; partition: number }) =>
  `${group}\n${topic}\n${partition}`;
