import type { Brokers } from '../client/brokers.ts';
import { createBrokers, type KafkaSettings, silentLog } from '../client/client.ts';
import { committedOffsets, keyOf, logBounds, offsetsByTime, partitionsOfAll } from '../client/offsets.ts';
import { AnswerIncomplete, isTopicUnknown, unreachable } from '../errors.ts';
import { readTopic, type TopicPosition } from './read-topic.ts';

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
 * The records that each group has still to deal with on these topics. An end offset also counts the markers that transactions leave
 * behind and that no consumer ever sees, so a group that has read everything may stay behind it for good.
 * Small gaps are therefore read: only records count.
 */
export async function groupLag(
  settings: KafkaSettings,
  groups: readonly { readonly group: string; readonly topics: readonly string[] }[],
): Promise<PartitionLag[]> {
  const gaps = await asking(settings, (brokers) => gapsOf(brokers, groups));
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
  const reached = await asking(settings, (brokers) => offsetsByTime(brokers, behind, before));
  return behind.filter((gap) => {
    const at = reached.get(keyOf(gap));
    if (at === undefined) throw new AnswerIncomplete(keyOf(gap));
    // Nothing is younger: all of it was written before.
    return at === null || (gap.committed ?? 0n) < BigInt(at);
  });
}

async function asking<T>(settings: KafkaSettings, ask: (brokers: Brokers) => Promise<T>): Promise<T> {
  const brokers = createBrokers(settings, 'lag', silentLog);
  try {
    return await ask(brokers);
  } catch (error) {
    throw unreachable(error, settings) ?? error;
  } finally {
    brokers.close();
  }
}

/** Topics that do not exist have no lag. */
async function gapsOf(
  brokers: Brokers,
  groups: readonly { readonly group: string; readonly topics: readonly string[] }[],
): Promise<PartitionLag[]> {
  const names = [...new Set(groups.flatMap(({ topics }) => topics))];
  const existing = await partitionsOfExisting(brokers, names);
  const lags = groups.map(async ({ group, topics }) => {
    const own = existing.filter(({ topic }) => topics.includes(topic));
    // The ends last, so that no group seems to have committed beyond the end.
    const committed = await committedOffsets(brokers, group, own);
    const bounds = await logBounds(brokers, own);
    return own.map((of) => {
      const [position, log] = [committed.get(keyOf(of)), bounds.get(keyOf(of))];
      if (!position || !log) throw new AnswerIncomplete(keyOf(of));
      const gap = Math.max(0, log.high - Math.max(log.low, position.offset ?? 0));
      return {
        ...{ group, topic: of.topic, partition: of.partition },
        committed: position.offset === null ? null : BigInt(position.offset),
        end: BigInt(log.high),
        lag: gap,
        exact: gap === 0,
      };
    });
  });
  return (await Promise.all(lags)).flat();
}

async function partitionsOfExisting(brokers: Brokers, names: readonly string[]) {
  const found = names.map(async (name) => {
    try {
      return await partitionsOfAll(brokers, [name], { forMs: LOOK_MS });
    } catch (error) {
      if (isTopicUnknown(error)) return [];
      throw error;
    }
  });
  return (await Promise.all(found)).flat();
}

/** Of several brokers one may not have heard of a topic yet that was made just now. */
const LOOK_MS = 1_000;

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
