import { createHash } from 'node:crypto';

/** Offsets of one topic partition, the end exclusive. Between them there may be offsets without a record. */
export interface OffsetRange {
  readonly topic: string;
  readonly partition: number;
  readonly start: number;
  readonly end: number;
}

/** What the group has committed for a topic partition. Offset null: nothing yet. */
export interface CommittedOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number | null;
  readonly metadata: string | null;
}

/** A batch that was announced and, as far as Kafka knows, not finished. */
export interface Intent {
  /** Made once per announced batch: the same offsets of a topic that was made anew are another batch. */
  readonly nonce: string;
  /** Sorted by topic, then partition. */
  readonly ranges: readonly OffsetRange[];
}

const VERSION = 'i1';

/**
 * Commit metadata of one range of a batch: version, nonce, planned end, and how many ranges the batch has.
 * All ranges of a batch are committed in one request, so a reader finds all of them or none.
 */
export function encodeIntent(nonce: string, end: number, ranges: number): string {
  return [VERSION, nonce, end, ranges].join(' ');
}

/**
 * The unfinished batch that these committed offsets announce, if any. Ranges of which some are missing announce
 * nothing: someone has set offsets by hand since, and what they ask for is to read again from there.
 */
export function intentOf(committed: readonly CommittedOffset[]): Intent | undefined {
  const byNonce = new Map<string, { expected: number; ranges: OffsetRange[] }>();
  for (const { topic, partition, offset, metadata } of committed) {
    const [version, nonce, end, count] = (metadata ?? '').split(' ');
    if (version !== VERSION || !nonce || offset === null) continue;
    const entry = byNonce.get(nonce) ?? { expected: Number(count), ranges: [] };
    entry.ranges.push({ topic, partition, start: offset, end: Number(end) });
    byNonce.set(nonce, entry);
  }
  for (const [nonce, { expected, ranges }] of byNonce) {
    if (ranges.length === expected) return { nonce, ranges: ranges.toSorted(compareRanges) };
  }
  return undefined;
}

/** The id of a batch: the same on every instance for the same announcement. */
export function batchId(group: string, lane: string, { nonce, ranges }: Intent): string {
  const parts = ranges.map(({ topic, partition, start, end }) => `${topic}/${partition}:${start}-${end}`);
  return createHash('sha256')
    .update([group, lane, nonce, ...parts].join('\n'))
    .digest('hex')
    .slice(0, 32);
}

type TopicPartition = Pick<OffsetRange, 'topic' | 'partition'>;

export const partitionKey = ({ topic, partition }: TopicPartition) => `${topic}/${partition}`;

/** One order on every instance: records of a batch are written in it. */
export function compareRanges(a: TopicPartition, b: TopicPartition): number {
  return a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition;
}
