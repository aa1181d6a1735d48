import { retry } from '../../retry.ts';
import { AnswerIncomplete, mayPass } from '../errors.ts';
import type { Brokers } from './brokers.ts';
import { createErrorFromCode } from './kafkajs-parts.ts';

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** What one broker says of some partitions. */
export type LeaderAnswers<A> = readonly (TopicPartition & {
  readonly errorCode: number;
  readonly answer: A;
})[];

export const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;

/**
 * Asks the leader of each partition, and again whoever leads by then where one says that it does not. Resolves when there is an
 * answer for every one of them; throws what a broker says for good, or the last error when the time is up.
 */
export async function askLeaders<A>(
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
      const [error] = errors.flat().toSorted((a, b) => Number(mayPass(a)) - Number(mayPass(b)));
      if (error !== undefined) throw error;
    },
    { ...options, passes: mayPass, before: () => brokers.refresh(topics) },
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
