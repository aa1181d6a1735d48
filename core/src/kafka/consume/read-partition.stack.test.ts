import { expect, onTestFinished, test } from 'vitest';
import { useStack } from '../../../../test/stack/stack.ts';
import { makeTopics } from '../../../../test/stack/topics.ts';
import { commonConfig } from '../../config/index.ts';
import { silentLog, withAdmin } from '../admin.ts';
import { createBrokers, createKafka } from '../client.ts';
import { type PartitionRead, readPartition } from './read-partition.ts';

const stack = useStack();
const settings = commonConfig.parse({ kafka: stack.kafka }).kafka;
const kafka = createKafka(settings, 'reader-test', silentLog);

async function read(options: Omit<PartitionRead, 'requestTimeoutMs' | 'partition'>): Promise<void> {
  const brokers = createBrokers(settings, 'reader-test', silentLog);
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
  const producer = kafka.producer({ transactionalId: topic, idempotent: true, maxInFlightRequests: 1 });
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
  await read({
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
  const nothing = read({ topic, fromOffset: 0, idleMs: 1_500, onRecords: () => false });
  await expect(nothing).rejects.toMatchObject({
    code: 'STATE_RESTORE_FAILED',
    disposition: 'retry',
  });
});
