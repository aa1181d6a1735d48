import { retry } from '../../retry.ts';
import { AnswerIncomplete, isRetriable, throwFirstError } from '../errors.ts';
import { createErrorFromCode } from '../kafkajs/kafkajs.ts';
import type { Brokers } from './brokers.ts';
import type { TopicPartitions } from './requests.ts';
import { listOffsets, offsetFetch } from './requests.ts';
import { stableOffsetFetch } from './stable-offset-fetch.ts';

/** Offsets that a partition has: the first one, and the one after the last. */
export interface LogBounds {
  readonly low: number;
  readonly high: number;
}

export interface Committed {
  /** Null: nothing was ever committed, or it has expired. */
  readonly offset: number | null;
  readonly metadata: string | null;
}

export interface AskOptions {
  /** Milliseconds; default 20 s. */
  readonly forMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Of every partition that was asked for, by `keyOf`. */
export type ByPartition<T> = ReadonlyMap<string, T>;

const FOR_MS = 20_000;
const LATEST = -1;
const EARLIEST = -2;
const READ_UNCOMMITTED = 0;
const READ_COMMITTED = 1;

export type Isolation = 'committed' | 'uncommitted';

/**
 * The position that a group has committed for each of these partitions; if it is to be stable, a position over which a transaction
 * has not ended yet is waited for. An answer that leaves a partition out is none.
 */
export async function committedOffsets(
  brokers: Brokers,
  groupId: string,
  partitions: readonly TopicPartition[],
  { forMs = FOR_MS, signal, stable = false }: AskOptions & { readonly stable?: boolean } = {},
): Promise<ByPartition<Committed>> {
  if (partitions.length === 0) return new Map();
  const topics = byTopic(partitions).map(({ topic, partitions: own }) => ({
    topic,
    partitions: own.map((partition) => ({ partition })),
  }));
  return retry(
    async () => {
      const found = new Map<string, Committed>();
      const { responses } = await brokers.toCoordinator(
        { kind: 'group', key: groupId },
        stable ? stableOffsetFetch : offsetFetch,
        { groupId, topics },
        ({ errorCode }) => [errorCode],
      );
      for (const { topic, partitions: answered } of responses) {
        throwFirstError(answered.map(({ errorCode }) => errorCode));
        for (const { partition, offset, metadata } of answered) {
          const at = Number(offset);
          found.set(keyOf({ topic, partition }), { offset: at < 0 ? null : at, metadata });
        }
      }
      for (const of of partitions) if (!found.has(keyOf(of))) throw new AnswerIncomplete(keyOf(of));
      return found;
    },
    { forMs, signal, retryIf: isRetriable },
  );
}

/** Where each partition begins, and where it ends: its last stable offset, or everything that is acknowledged. */
export async function logBounds(
  brokers: Brokers,
  partitions: readonly TopicPartition[],
  isolation: Isolation = 'committed',
  options: AskOptions = {},
): Promise<ByPartition<LogBounds>> {
  // The end first: what lies before a beginning that was read later is gone by any reading.
  const highs = await offsetsAt(brokers, partitions, LATEST, isolation, options);
  const lows = await offsetsAt(brokers, partitions, EARLIEST, isolation, options);
  return new Map(
    partitions.map((of) => {
      const [low, high] = [lows.get(keyOf(of)), highs.get(keyOf(of))];
      if (low === undefined || high === undefined) throw new AnswerIncomplete(keyOf(of));
      return [keyOf(of), { low, high }] as const;
    }),
  );
}

/** The first offset whose record was written at this time (epoch milliseconds) or later; null where there is none. */
export async function offsetsByTime(
  brokers: Brokers,
  partitions: readonly TopicPartition[],
  time: number,
  options: AskOptions = {},
): Promise<ByPartition<number | null>> {
  const found = await offsetsAt(brokers, partitions, time, 'committed', options);
  return new Map([...found].map(([key, offset]) => [key, offset < 0 ? null : offset]));
}

function offsetsAt(
  brokers: Brokers,
  partitions: readonly TopicPartition[],
  timestamp: number,
  isolation: Isolation,
  { forMs = FOR_MS, signal }: AskOptions,
): Promise<ByPartition<number>> {
  const isolationLevel = isolation === 'committed' ? READ_COMMITTED : READ_UNCOMMITTED;
  const ask = async (node: number, own: readonly TopicPartition[]) => {
    const topics = byTopic(own).map(({ topic, partitions: ids }) => ({
      topic,
      partitions: ids.map((partition) => ({ partition, timestamp })),
    }));
    const { responses } = await brokers.request(node, listOffsets, { replicaId: -1, isolationLevel, topics });
    return responses.flatMap(({ topic, partitions: answered }) =>
      answered.map(({ partition, errorCode, offset }) => ({
        topic,
        partition,
        errorCode,
        answer: Number(offset),
      })),
    );
  };
  return askLeaders(brokers, partitions, ask, { forMs, signal });
}

/** Every partition of these topics, as of now. */
export async function partitionsOfAll(
  brokers: Brokers,
  topics: readonly string[],
  { forMs = FOR_MS, signal }: AskOptions = {},
): Promise<TopicPartition[]> {
  return retry(
    async () => {
      await brokers.refresh(topics);
      const found: TopicPartition[] = [];
      for (const topic of topics)
        for (const partition of await brokers.partitionsOf(topic)) found.push({ topic, partition });
      return found;
    },
    { forMs, signal, retryIf: isRetriable },
  );
}

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** One broker's answer for some partitions. */
type LeaderAnswers<A> = readonly (TopicPartition & {
  readonly errorCode: number;
  readonly answer: A;
})[];

export const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;

/**
 * Asks the leader of each partition, and the new leader where a broker says that it leads no more. Resolves when there is an
 * answer for every one of them; throws what a broker says for good, or the last error when the time is up.
 */
async function askLeaders<A>(
  brokers: Brokers,
  partitions: readonly TopicPartition[],
  ask: (node: number, partitions: readonly TopicPartition[]) => Promise<LeaderAnswers<A>>,
  options: { readonly forMs: number; readonly signal?: AbortSignal | undefined },
): Promise<ReadonlyMap<string, A>> {
  const answers = new Map<string, A>();
  const topics = [...new Set(partitions.map(({ topic }) => topic))];
  await retry(
    async () => {
      await brokers.know(topics);
      const open = partitions.filter((of) => !answers.has(keyOf(of)));
      const errors = await Promise.all(
        [...byLeader(brokers, open)].map(([node, own]) => askOne(node, own, ask, answers)),
      );
      const [error] = errors.flat().toSorted((a, b) => Number(isRetriable(a)) - Number(isRetriable(b)));
      if (error !== undefined) throw error;
    },
    { ...options, retryIf: isRetriable, before: () => brokers.refresh(topics) },
  );
  return answers;
}

async function askOne<A>(
  node: number,
  partitions: readonly TopicPartition[],
  ask: (node: number, partitions: readonly TopicPartition[]) => Promise<LeaderAnswers<A>>,
  answers: Map<string, A>,
): Promise<unknown[]> {
  let found: LeaderAnswers<A>;
  try {
    found = await ask(node, partitions);
  } catch (error) {
    return [error];
  }
  const byKey = new Map(found.map((one) => [keyOf(one), one]));
  return partitions.flatMap((of): unknown[] => {
    const one = byKey.get(keyOf(of));
    if (!one) return [new AnswerIncomplete(keyOf(of))];
    if (one.errorCode !== 0) return [createErrorFromCode(one.errorCode)];
    answers.set(keyOf(of), one.answer);
    return [];
  });
}

function byLeader(brokers: Brokers, partitions: readonly TopicPartition[]): Map<number, TopicPartition[]> {
  const groups = new Map<number, TopicPartition[]>();
  for (const of of partitions) {
    const leader = brokers.leaderOf(of.topic, of.partition);
    const group = groups.get(leader);
    if (group) group.push(of);
    else groups.set(leader, [of]);
  }
  return groups;
}

/** As requests take them. */
export function byTopic(partitions: readonly TopicPartition[]): { topic: string; partitions: number[] }[] {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of partitions) {
    const own = topics.get(topic);
    if (own) own.push(partition);
    else topics.set(topic, [partition]);
  }
  return [...topics].map(([topic, own]) => ({ topic, partitions: own }));
}

/** One code for each partition that was asked for. Throws if the answer does not mention it. */
export function codesOfAll(
  wanted: readonly TopicPartitions<number>[],
  answered: readonly TopicPartitions<{ readonly partition: number; readonly errorCode: number }>[],
): number[] {
  return wanted.flatMap(({ topic, partitions }) => {
    const found = answered.find((of) => of.topic === topic)?.partitions ?? [];
    return partitions.map((partition) => {
      const of = found.find((one) => one.partition === partition);
      if (!of) throw new AnswerIncomplete(`${topic}/${partition}`);
      return of.errorCode;
    });
  });
}
