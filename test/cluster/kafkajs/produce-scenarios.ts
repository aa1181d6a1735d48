import { type OutputRecord, silentLog } from '@email-events/core';
import { partitionClient } from '@email-events/core/testing';
import { unique } from '../../harness/isolation.ts';
import { waitFor } from '../../harness/wait.ts';
import { newTopic, readAll, signal, type World } from './world.ts';
import type { OpenWriter, Writer } from './writers.ts';

/** The values of each partition, in order, and the position that the writer committed. */
export interface Written {
  readonly partitions: readonly string[][];
  readonly committed: number;
}

/**
 * A send spans brokers, and one says that it leads the partition no more. Its new leader is a broker that has answered already, for
 * another partition.
 */
export async function skipped(world: World, open: OpenWriter): Promise<Written> {
  const { cluster, proxies } = world;
  const out = await newTopic(world, 'out', [
    [1, 2, 3],
    [2, 3, 1],
  ]);
  const lane = await openLane(world, open);
  const outputs = (step: number) => [value(out, 0, `a${step}`), value(out, 1, `b${step}`)];
  await lane.step(outputs);
  await lane.settle([out]);
  await cluster.moveLeader(out, 0, 2);
  const answered = signal();
  const calm = [
    proxies.interfere({ api: 'Produce', broker: 2, answer: () => answered.reach() }),
    // The refusal comes when the other broker's answer is there.
    proxies.interfere({ api: 'Produce', broker: 1, answer: () => answered.reached as Promise<undefined> }),
  ];
  await lane.step(outputs);
  for (const stop of calm) stop();
  await lane.step(outputs);
  return { partitions: await readAll(world, out, 2), committed: await lane.end() };
}

/** A partition is acknowledged, and then moves to a third broker while the answer of another one is outstanding. */
export async function moved(world: World, open: OpenWriter): Promise<Written> {
  const { cluster, proxies } = world;
  const out = await newTopic(world, 'out', [
    [1, 2, 3],
    [2, 3, 1],
  ]);
  const lane = await openLane(world, open);
  const outputs = (step: number) => [value(out, 0, `a${step}`), value(out, 1, `b${step}`)];
  await lane.step(outputs);
  await lane.settle([out]);
  const acknowledged = signal();
  let first = true;
  const calm = [
    proxies.interfere({ api: 'Produce', broker: 1, answer: () => acknowledged.reach() }),
    proxies.interfere({
      api: 'Produce',
      broker: 2,
      request: async () => {
        if (!first) return undefined;
        first = false;
        await acknowledged.reached;
        await cluster.moveLeader(out, 0, 3);
        await cluster.moveLeader(out, 1, 3);
        return undefined;
      },
    }),
  ];
  await lane.step(outputs);
  for (const stop of calm) stop();
  await lane.step(outputs);
  return { partitions: await readAll(world, out, 2), committed: await lane.end() };
}

/**
 * A batch is appended, but before a follower that is frozen has it, leadership moves: the old leader says that it leads no more. The new
 * leader has the batch, and has already answered for another partition.
 */
export async function takenBack(world: World, open: OpenWriter): Promise<Written> {
  const { cluster, proxies } = world;
  // The frozen broker must not be the one that elects leaders.
  const before = await cluster.controllerId();
  const [frozen, after] = [1, 2, 3].filter((nodeId) => nodeId !== before) as [number, number];
  const out = await newTopic(world, 'out', [[before, after, frozen]]);
  const other = await newTopic(world, 'other', [[after]], { 'min.insync.replicas': '1' });
  const lane = await openLane(world, open);
  const outputs = (step: number) => [value(out, 0, `a${step}`), value(other, 0, `b${step}`)];
  await lane.step(outputs);
  await lane.settle([out, other]);
  await cluster.movePreferred(out, 0, [after, before, frozen]);
  const answered = signal();
  let first = true;
  let elected: Promise<void> = Promise.resolve();
  const calm = [
    proxies.interfere({ api: 'Produce', broker: after, answer: () => answered.reach() }),
    proxies.interfere({
      api: 'Produce',
      broker: before,
      request: async () => {
        if (!first) return undefined;
        first = false;
        // Nothing else is to need the one that is frozen.
        await answered.reached;
        await cluster.broker(frozen).pause();
        const end = await cluster.logEndOf(out, 0, after);
        elected = waitFor('the next leader has it', async () => (await cluster.logEndOf(out, 0, after)) > end)
          .then(() => cluster.electPreferred(out, [0]))
          .catch(() => {});
        return undefined;
      },
      answer: async () => {
        await elected;
        if (cluster.broker(frozen).state === 'paused') await cluster.broker(frozen).resume();
        return undefined;
      },
    }),
  ];
  try {
    await lane.step(outputs);
  } finally {
    for (const stop of calm) stop();
    if (cluster.broker(frozen).state === 'paused') await cluster.broker(frozen).resume();
  }
  await lane.step(outputs);
  await lane.step(outputs);
  return { partitions: await readAll(world, out, 1), committed: await lane.end() };
}

/**
 * Nothing fails and nothing moves: one transaction after the other over three brokers, one of which is slower than the others, and so
 * is the way to the coordinator: in every transaction, or in one of so many.
 */
export async function healthy(
  world: World,
  open: OpenWriter,
  { transactions, slowEvery }: { readonly transactions: number; readonly slowEvery: number },
): Promise<Written> {
  const { proxies } = world;
  const out = await newTopic(world, 'out', [
    [1, 2, 3],
    [2, 3, 1],
    [3, 1, 2],
  ]);
  const lane = await openLane(world, open);
  let asked = 0;
  let step = 0;
  const slow = () => step % slowEvery === 0;
  const calm = [
    proxies.interfere({
      api: 'EndTxn',
      answer: () => {
        asked = 0;
      },
    }),
    proxies.interfere({
      api: 'AddPartitionsToTxn',
      request: () => (asked++ > 0 && slow() ? late(LATER_MS) : undefined),
    }),
    proxies.interfere({ api: 'Produce', broker: 3, request: () => (slow() ? late(SLOW_MS) : undefined) }),
  ];
  for (; step < transactions; step++)
    await lane.step((n) => [0, 1, 2].map((partition) => value(out, partition, `${'abc'[partition]}${n}`)));
  for (const stop of calm) stop();
  return { partitions: await readAll(world, out, 3), committed: await lane.end() };
}

/** Does as a lane does: its position moves with each commit, and after a failure a new writer goes on. */
async function openLane(world: World, open: OpenWriter) {
  const { settings } = world;
  const of = { settings, groupId: unique('group'), topic: await newTopic(world, 'in', [[3, 1, 2]]) };
  let writer: Writer | undefined;
  let position = 0;
  const begin = async () => {
    await writer?.close().catch(() => {});
    writer = await open(of);
    position = writer.position;
    return writer;
  };
  // Right after the first of its kind, the coordinators' own topics are being made.
  await waitFor('a writer', begin);
  return {
    /** Until it is committed. */
    step: async (outputs: (step: number) => OutputRecord[]) => {
      const next = position + 1;
      await waitFor(`step ${next} is committed`, async () => {
        const current = writer ?? (await begin());
        if (position >= next) return true;
        try {
          await current.transact(outputs(position), position + 1);
          position += 1;
        } catch (error) {
          writer = undefined;
          await current.close().catch(() => {});
          throw error;
        }
        return position >= next;
      });
    },
    /** Nothing of it is under way any more: what it wrote can be read, and its position is stable. */
    settle: async (topics: readonly string[]) => {
      for (const topic of topics) await readAll(world, topic, (await world.cluster.leadersOf(topic)).length);
      const options = { transactionTimeoutMs: 60_000, restoreIdleMs: 30_000 };
      const client = partitionClient({ ...of, ...options, service: 'settle', log: silentLog, partition: 0 });
      await waitFor('the position is stable', async () => (await client.committed())?.offset === position);
      client.close();
    },
    /** The position that a new writer finds committed. */
    end: async () => {
      await begin();
      await writer?.close();
      return position;
    },
  };
}

const value = (topic: string, partition: number, text: string): OutputRecord => ({
  topic,
  partition,
  key: null,
  value: Buffer.from(text),
});

/** Long enough for a client that is refused by one broker to have tried again before the slow one has answered. */
const SLOW_MS = 30;
/** Long enough for the markers of the transaction before to be written. */
const LATER_MS = 10;

const late = (ms: number) => new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), ms));
