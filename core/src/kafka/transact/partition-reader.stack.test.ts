import { expect, onTestFinished, test } from 'vitest';
import { useStack } from '../../../../test/stack/stack.ts';
import { makeTopics } from '../../../../test/stack/topics.ts';
import { parseConfig } from '../../config/index.ts';
import { silentLog, withAdmin } from '../admin.ts';
import { createKafka } from '../client.ts';
import { readPartition } from './partition-reader.ts';

const stack = useStack();
const settings = parseConfig({ kafka: stack.kafka }).kafka;
const kafka = createKafka(settings, 'reader-test', silentLog);

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
  await readPartition(kafka, {
    groupId: stack.unique('reader'),
    topic,
    partition: 0,
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

test('its group is named after the one that it reads for', async () => {
  const topic = await topicWith('commit');
  const groupId = stack.unique('reader');
  const groups: string[] = [];
  await readPartition(kafka, {
    ...{ groupId, topic, partition: 0, fromOffset: 0, idleMs: 20_000 },
    onRecords: async () => {
      const listed = await withAdmin(settings, (admin) => admin.listGroups());
      groups.push(...listed.groups.map((group) => group.groupId));
      return true;
    },
  });
  expect(groups.filter((group) => group.startsWith(`${groupId}-`))).toHaveLength(1);
});

test('says so when what it waits for does not come', async () => {
  const topic = await topicWith('commit');
  const groupId = stack.unique('reader');
  const read = { groupId, topic, partition: 0, fromOffset: 0, idleMs: 1_500, onRecords: () => false };
  await expect(readPartition(kafka, read)).rejects.toMatchObject({
    code: 'STATE_RESTORE_FAILED',
    disposition: 'retry',
  });
});
