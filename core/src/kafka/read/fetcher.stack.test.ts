import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { makeTopics, useStack, waitFor } from '../../../../test/harness/stack.ts';
import { commonConfig } from '../../config/index.ts';
import { createBrokers, createKafka, silentLog, withAdmin } from '../client/client.ts';
import { type PartitionRead, readPartition } from '../transact/partition-client.ts';
import { readTopic, type TopicPosition } from './read-topic.ts';

// Several transactions that overlap on one partition, some of them aborted, in another order than they began: what the
// broker's list of aborted transactions looks like when processes were killed or a broker came back.
const WRITERS = 6;
const HALVES = ['first', 'second'];
const stack = useStack();
const topic = stack.unique('aborted');
const { kafka: settings } = commonConfig.parse({ kafka: stack.kafka });
const client = createKafka(settings, 'test', silentLog);
const producers = Array.from({ length: WRITERS }, (_, i) =>
  client.producer({
    transactionalId: stack.unique(`writer-${i}`),
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner: () => () => 0,
  }),
);

beforeAll(async () => {
  await makeTopics(settings, [topic]);
  await Promise.all(producers.map((producer) => producer.connect()));
});
afterAll(() => Promise.all(producers.map((producer) => producer.disconnect())));

/** All writers begin in order, each writes twice; they end in the opposite order, the even ones by an abort. */
async function round(name: string): Promise<string[]> {
  const transactions = await Promise.all(producers.map((producer) => producer.transaction()));
  for (const half of HALVES) {
    for (const [i, transaction] of transactions.entries()) {
      await transaction.send({ topic, messages: [{ value: `${name} ${i} ${half}` }] });
    }
  }
  for (const [i, transaction] of [...transactions.entries()].reverse()) {
    await (i % 2 === 0 ? transaction.abort() : transaction.commit());
  }
  const committed = [...transactions.keys()].filter((i) => i % 2 === 1);
  return HALVES.flatMap((half) => committed.map((i) => `${name} ${i} ${half}`));
}

const read = async (from: 'beginning' | { readonly positions: readonly TopicPosition[] }) => {
  const values: string[] = [];
  await readTopic(settings, {
    topics: [topic],
    from,
    onRecord: ({ offset, value }) => void values.push(`${offset} ${value}`),
  });
  return values;
};

test('what was aborted is never read, wherever reading begins', async () => {
  const expected = [...(await round('a')), ...(await round('b')), ...(await round('c'))];
  // A broker answers before it has written the markers, and until then the records are behind the end of what is committed.
  const written = String(3 * WRITERS * (HALVES.length + 1));
  await waitFor('every transaction has its marker', () =>
    withAdmin(settings, async (admin) => (await admin.fetchTopicOffsets(topic))[0]?.high === written),
  );
  const all = await read('beginning');
  expect(all.map((line) => line.replace(/^\d+ /, ''))).toEqual(expected);
  const end = Number(all.at(-1)?.split(' ')[0]);
  for (let offset = 0; offset <= end; offset++) {
    const values = await read({ positions: [{ topic, partition: 0, offset: BigInt(offset) }] });
    expect(values).toEqual(all.filter((line) => Number(line.split(' ')[0]) >= offset));
  }
});

// One partition, from an offset on: how a stage restores its state.

async function readFrom(options: Omit<PartitionRead, 'requestTimeoutMs' | 'partition'>): Promise<void> {
  const brokers = createBrokers(settings, 'test', silentLog);
  try {
    await readPartition(brokers, { ...options, partition: 0, requestTimeoutMs: settings.requestTimeoutMs });
  } finally {
    brokers.close();
  }
}

/** A topic whose first partition holds records 0, 1, 2 …, some of them aborted, each with its number as value. */
async function topicWith(...steps: ('commit' | 'abort')[]): Promise<string> {
  const topic = stack.unique('changelog');
  await makeTopics(settings, [topic], 2);
  const producer = client.producer({ transactionalId: topic, idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  onTestFinished(() => producer.disconnect());
  for (const [n, step] of steps.entries()) {
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [{ partition: 0, value: String(n) }] });
    await transaction[step]();
  }
  return topic;
}

/** Values from an offset up to and including the last one. */
async function valuesFrom(topic: string, fromOffset: number, last: string): Promise<string[]> {
  const values: string[] = [];
  await readFrom({
    topic,
    fromOffset,
    idleMs: 20_000,
    onRecords: (records) => {
      values.push(...records.map(({ value }) => String(value)));
      return values.at(-1) === last;
    },
  });
  return values;
}

test('reads from an offset to where it has all it wants, without what was aborted', async () => {
  const topic = await topicWith('commit', 'commit', 'abort', 'abort', 'commit', 'abort', 'commit');
  expect(await valuesFrom(topic, 0, '6')).toEqual(['0', '1', '4', '6']);
  expect(await valuesFrom(topic, 2, '6')).toEqual(['1', '4', '6']);
});

test('where retention has removed what was asked for, begins with what is left', async () => {
  const topic = await topicWith('commit', 'commit', 'commit', 'commit');
  await withAdmin(settings, async (admin) => {
    // kafkajs deletes only from topics that it has met.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '4' }] });
  });
  expect(await valuesFrom(topic, 1, '3')).toEqual(['2', '3']);
});

test('says so when what it waits for does not come', async () => {
  const topic = await topicWith('commit');
  const nothing = readFrom({ topic, fromOffset: 0, idleMs: 1_500, onRecords: () => false });
  await expect(nothing).rejects.toMatchObject({
    code: 'STATE_RESTORE_FAILED',
    disposition: 'retry',
  });
});
