import { waitFor } from '../harness/wait.ts';
import type { Cluster } from './cluster.ts';
import { ask, type Exchange, exchangeOf } from './wire.ts';

const DEADLINE_MS = 60_000;
const TIMEOUT_MS = 5_000;

/**
 * Writes a record and waits until every replica in sync has it; asks the current leader until that succeeds, so that the record
 * may be there more than once.
 */
export async function append(
  cluster: Cluster,
  topic: string,
  partition: number,
  value: string,
): Promise<void> {
  const topicData = [{ topic, partitions: [{ partition, messages: [{ value: Buffer.from(value) }] }] }];
  await waitFor(
    `a record is on ${topic}/${partition}`,
    () =>
      askLeader(
        cluster,
        topic,
        partition,
        exchangeOf('Produce', 3, { acks: -1, timeout: TIMEOUT_MS, topicData }),
      ),
    DEADLINE_MS,
  );
}

interface Fetched {
  readonly responses: readonly {
    readonly partitions: readonly { readonly messages: readonly { readonly value: Buffer | null }[] }[];
  }[];
}

/** Values from the beginning, as many as one answer holds. */
export async function valuesOf(cluster: Cluster, topic: string, partition: number): Promise<string[]> {
  const limits = { maxWaitTime: 100, minBytes: 1, maxBytes: 1_048_576 };
  const topics = [{ topic, partitions: [{ partition, fetchOffset: '0', maxBytes: limits.maxBytes }] }];
  let values: string[] = [];
  await waitFor(
    `${topic}/${partition} is read`,
    async () => {
      const { responses } = await askLeader(
        cluster,
        topic,
        partition,
        exchangeOf<Fetched>('Fetch', 5, { ...limits, topics }),
      );
      const messages = responses.flatMap((of) => of.partitions.flatMap((found) => found.messages));
      values = messages.map(({ value }) => String(value));
      return true;
    },
    DEADLINE_MS,
  );
  return values;
}

async function askLeader<A>(
  cluster: Cluster,
  topic: string,
  partition: number,
  exchange: Exchange<A>,
): Promise<A> {
  const leader = (await cluster.leadersOf(topic))[partition] ?? -1;
  return ask(cluster.addressOf(leader), exchange);
}
