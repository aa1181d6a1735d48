import { beforeAll, expect, test } from 'vitest';
import { useStack } from '../../../test/stack/stack.ts';
import { makeTopics } from '../../../test/stack/topics.ts';
import { commonConfig } from '../config/index.ts';
import { type KafkaSettings, silentLog, withAdmin } from './admin.ts';
import { createKafka } from './client.ts';
import { firstRecords } from './first-records.ts';

const stack = useStack();
let settings: KafkaSettings;
beforeAll(() => {
  settings = commonConfig.parse({ kafka: { ...stack.kafka, groupPrefix: stack.unique('first') } }).kafka;
});

test('the first committed record of each partition, as far as it is kept', async () => {
  const topic = stack.unique('first');
  await makeTopics(settings, [topic], 4);
  const producer = createKafka(settings, 'test', silentLog).producer({
    transactionalId: stack.unique('tx'),
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  const write = async (partition: number, values: readonly string[], end: 'commit' | 'abort' = 'commit') => {
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: values.map((value) => ({ value, partition })) });
    await transaction[end]();
  };
  try {
    await write(0, ['a', 'b']);
    await write(2, ['c'], 'abort');
    await write(3, ['d', 'e', 'f']);
  } finally {
    await producer.disconnect();
  }
  await withAdmin(settings, async (admin) => {
    // It knows where partitions are only of topics that it was asked about.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 3, offset: '2' }] });
  });
  const found = await firstRecords(settings, topic);
  expect(
    found.map(({ partition, hasExpired, record }) => [
      partition,
      hasExpired,
      record && [String(record.value), Number(record.offset)],
    ]),
  ).toEqual([
    [0, false, ['a', 0]],
    [1, false, null],
    [2, false, null],
    [3, true, ['f', 2]],
  ]);
});

test('a topic that is not there', async () => {
  await expect(firstRecords(settings, stack.unique('none'))).rejects.toThrow();
});
