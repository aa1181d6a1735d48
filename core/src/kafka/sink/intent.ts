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
  /** The name of the way in which it is cut into pieces; undefined: it is not. */
  readonly cut?: string | undefined;
}

/** A batch that is one piece; so were all before there were pieces. */
const WHOLE = 'i1';
/** A batch that is cut. */
const CUT = 'i2';

/**
 * Commit metadata of one range of a batch: version, nonce, planned end, how many ranges the batch has, and how it is cut. The pieces
 * follow from the records and the name of the cut, so that it stays below 100 bytes however many there are (a broker takes 4096).
 * All ranges of a batch are committed in one request, so a reader finds all of them or none.
 */
export function encodeIntent(nonce: string, end: number, ranges: number, cut?: string): string {
  return cut === undefined ? [WHOLE, nonce, end, ranges].join(' ') : [CUT, nonce, end, ranges, cut].join(' ');
}

/**
 * The unfinished batch that these committed offsets announce, if any. Ranges of which some are missing announce
 * nothing: someone has set offsets by hand since, and what they ask for is to read again from there.
 */
export function intentOf(committed: readonly CommittedOffset[]): Intent | undefined {
  const byNonce = new Map<string, { expected: number; cut: string | undefined; ranges: OffsetRange[] }>();
  for (const { topic, partition, offset, metadata } of committed) {
    const [version, nonce, end, count, cut] = (metadata ?? '').split(' ');
    if (!nonce || offset === null || !isComplete(version, cut)) continue;
    const entry = byNonce.get(nonce) ?? { expected: Number(count), cut, ranges: [] };
    entry.ranges.push({ topic, partition, start: offset, end: Number(end) });
    byNonce.set(nonce, entry);
  }
  for (const [nonce, { expected, cut, ranges }] of byNonce) {
    if (ranges.length === expected) return { nonce, ranges: ranges.toSorted(compareRanges), cut };
  }
  return undefined;
}

const isComplete = (version: string | undefined, cut: string | undefined) =>
  (version === WHOLE && cut === undefined) || (version === CUT && cut !== undefined && cut !== '');

/** The id of a batch: the same on every instance for the same announcement. How it is cut is told by its pieces' names. */
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
