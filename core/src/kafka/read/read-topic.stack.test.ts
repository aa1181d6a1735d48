import type { Producer } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commitOffsets, makeTopics, useStack } from '../../../../test/harness/stack.ts';
import { commonConfig } from '../../config/index.ts';
import { createKafka, type KafkaSettings, silentLog, withAdmin } from '../client/client.ts';
import { groupLag } from './group-lag.ts';
import { firstRecords, type ReadOptions, readTopic } from './read-topic.ts';

// The traps of reading to "the end": transaction markers and aborted records have offsets, but are no records.

const PARTITIONS = 3;
const stack = useStack();
let settings: KafkaSettings;
let producer: Producer;

beforeAll(async () => {
  settings = commonConfig.parse({
    kafka: { ...stack.kafka, groupPrefix: stack.unique('readers') },
  }).kafka;
  producer = createKafka(settings, 'test', silentLog).producer({
    transactionalId: stack.unique('tx'),
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await producer.connect();
});
afterAll(() => producer.disconnect());

async function createTopic(): Promise<string> {
  const topic = stack.unique('read');
  await makeTopics(settings, [topic], PARTITIONS);
  return topic;
}

/** One transaction with these values, spread over the partitions. */
async function write(topic: string, values: readonly string[], end: 'commit' | 'abort' = 'commit') {
  const transaction = await producer.transaction();
  const messages = values.map((value, index) => ({ value, partition: index % PARTITIONS }));
  await transaction.send({ topic, messages });
  await transaction[end]();
}

async function readAll(topic: string, options: Partial<ReadOptions> = {}): Promise<string[]> {
  const values: string[] = [];
  await readTopic(settings, {
    topics: [topic],
    from: 'beginning',
    ...options,
    onRecord: async (record) => {
      values.push(String(record.value));
      await options.onRecord?.(record);
    },
  });
  return values.sort();
}

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => String(from + index).padStart(4, '0'));

describe('readTopic', () => {
  test('reads what was committed and ends, though markers and aborted records follow', async () => {
    const topic = await createTopic();
    await write(topic, numbers(0, 50));
    await write(topic, numbers(50, 100), 'abort');
    await write(topic, numbers(100, 110));
    await write(topic, numbers(110, 140), 'abort');
    expect(await readAll(topic)).toEqual([...numbers(0, 50), ...numbers(100, 110)]);
  });

  test('ends at once on a topic that holds nothing, or nothing but markers', async () => {
    const topic = await createTopic();
    expect(await readAll(topic)).toEqual([]);
    await write(topic, numbers(0, 10), 'abort');
    expect(await readAll(topic)).toEqual([]);
  });

  test('from a time and from given offsets', async () => {
    const topic = await createTopic();
    await write(topic, numbers(0, 30));
    const timestamp = await new Promise<number>((resolve) => {
      const begin = Date.now();
      const timer = setInterval(() => {
        if (Date.now() <= begin + 1) return;
        clearInterval(timer);
        resolve(Date.now());
      });
    });
    await write(topic, numbers(30, 36));
    expect(await readAll(topic, { from: { timestamp } })).toEqual(numbers(30, 36));
    // Ten records and their marker before: the offset of the first of the second transaction is 11.
    const positions = [{ topic, partition: 0, offset: 11n }];
    expect(await readAll(topic, { from: { positions } })).toEqual(['0030', '0033']);
  });

  test('follows from the end: nothing that is written after onStart is missed', async () => {
    const topic = await createTopic();
    await write(topic, numbers(0, 9));
    const abort = new AbortController();
    let seen = 0;
    const values = await readAll(topic, {
      from: 'end',
      follow: true,
      signal: abort.signal,
      onStart: () => void write(topic, numbers(9, 18)),
      onRecord: () => {
        seen++;
        if (seen === 9) abort.abort();
      },
    });
    expect(values).toEqual(numbers(9, 18));
  });

  test('leaves no consumer group', async () => {
    const topic = await createTopic();
    await write(topic, numbers(0, 3));
    await readAll(topic);
    const { groups } = await withAdmin(settings, (admin) => admin.listGroups());
    expect(groups.filter(({ groupId }) => groupId.startsWith(settings.groupPrefix))).toEqual([]);
  });

  test('what onRecord throws ends it, and is thrown as it is', async () => {
    const topic = await createTopic();
    await write(topic, numbers(0, 9));
    const error = new Error('enough');
    await expect(
      readAll(topic, {
        onRecord: () => {
          throw error;
        },
      }),
    ).rejects.toBe(error);
  });

  test('a topic that does not exist, a broker that does not answer', async () => {
    await expect(readAll(stack.unique('none'))).rejects.toMatchObject({ code: 'KAFKA_TOPIC_MISSING' });
    const nowhere = commonConfig.parse({
      kafka: { brokers: ['127.0.0.1:1'], connectionTimeoutMs: 200 },
    }).kafka;
    const reading = readTopic(nowhere, { topics: ['x'], from: 'end', onRecord: () => {} });
    await expect(reading).rejects.toMatchObject({ code: 'KAFKA_UNREACHABLE' });
  });
});

describe('groupLag', () => {
  /** A group that has dealt with all records but the last `left` of partition 0, committed without their markers. */
  async function consume(topic: string, left: number): Promise<string> {
    const group = stack.unique('group');
    const next = new Map<number, bigint>();
    const ofFirst: bigint[] = [];
    await readTopic(settings, {
      topics: [topic],
      from: 'beginning',
      onRecord: ({ partition, offset }) => {
        next.set(partition, offset + 1n);
        if (partition === 0) ofFirst.push(offset);
      },
    });
    if (left > 0) next.set(0, ofFirst.at(-left) as bigint);
    const partitions = [...next].map(([partition, offset]) => ({ partition, offset: String(offset) }));
    await commitOffsets(settings, group, topic, partitions);
    return group;
  }

  test('markers behind the last record are no lag; records are', async () => {
    const topic = await createTopic();
    await write(topic, numbers(0, 9));
    await write(topic, numbers(9, 18));
    await write(topic, numbers(0, 6), 'abort');
    const done = await consume(topic, 0);
    const behind = await consume(topic, 2);
    const lags = await groupLag(settings, [
      { group: done, topics: [topic] },
      { group: behind, topics: [topic] },
      { group: stack.unique('never'), topics: [topic] },
      { group: done, topics: [stack.unique('none')] },
    ]);
    const of = (group: string) => lags.filter((lag) => lag.group === group);
    expect(of(done).map(({ lag, exact }) => [lag, exact])).toEqual(Array(3).fill([0, true]));
    // The end offset is further away than the last record: a plain subtraction would show a lag for ever.
    expect(of(done).every(({ committed, end }) => (committed as bigint) < end)).toBe(true);
    expect(of(behind).find(({ partition }) => partition === 0)).toMatchObject({ lag: 2, exact: true });
    const never = lags.filter(({ committed }) => committed === null);
    expect(never.map(({ lag }) => lag)).toEqual([6, 6, 6]);
  });
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
