import { PipelineError } from '../errors.ts';
import { AnswerIncomplete, isTopicUnknown } from './errors.ts';
import { keyOf, type TopicPartition } from './wire/ask-leaders.ts';
import type { Brokers } from './wire/brokers.ts';
import { logBounds, offsetsByTime, partitionsOfAll } from './wire/offsets.ts';

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

/**
 * From where to where: `ends` are the ends now, of committed records and transaction markers alike, or before the first
 * record that was written at `until` or later.
 */
export async function resolveRange(
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
  // What was written but is not decided yet lies behind the end of what is committed; it was not written from now on.
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
