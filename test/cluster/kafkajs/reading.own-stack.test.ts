import { createBrokers, createKafka, silentLog } from '@email-events/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { committedOffsets, logBounds, partitionsOfAll } from '../../../core/src/kafka/client/offsets.ts';
import { startingPoints } from '../../../core/src/kafka/sink/assignment.ts';
import { partitionClient, readPartition } from '../../../core/src/kafka/transact/partition-client.ts';
import { unique } from '../../harness/isolation.ts';
import { fileScope, type TestScope } from '../../harness/stack.ts';
import { waitFor } from '../../harness/wait.ts';
import { ask, exchangeOf } from '../wire.ts';
import { plainKafkajs } from './plain-kafkajs.ts';
import { END, newTopic, readAll, startWorld, type World } from './world.ts';

const THREE = [
  [1, 2, 3],
  [2, 3, 1],
  [3, 1, 2],
];
const START = THREE.map((_, partition) => ({ partition, offset: '0', metadata: null }));

const { scope, end } = fileScope();
let world: World;
beforeAll(async () => {
  world = await startWorld(scope);
});
afterAll(end);

describe('the position that a lane has committed', () => {
  const TIMES = 20;
  const setUp = async (test: TestScope) => {
    const topic = await newTopic(world, 'in', [[1, 2, 3]]);
    const groupId = unique('group');
    const of = { settings: world.settings, service: 'test', log: silentLog, groupId, topic, partition: 0 };
    const open = async () => {
      const client = partitionClient({ ...of, transactionTimeoutMs: 60_000, restoreIdleMs: 30_000 });
      test.onTestFinished(async () => client.close());
      await client.open();
      return client;
    };
    const brokers = createBrokers(world.settings, 'other', silentLog);
    test.onTestFinished(async () => brokers.close());
    const out = await newTopic(world, 'out', [
      [2, 3, 1],
      [3, 1, 2],
    ]);
    const outputs = [0, 1].map((partition) => ({
      topic: out,
      partition,
      key: null,
      value: Buffer.from('x'),
    }));
    const look = async (stable: boolean) => {
      const found = await committedOffsets(brokers, groupId, [{ topic, partition: 0 }], { stable });
      return [...found.values()][0]?.offset ?? 0;
    };
    return { open, look, outputs };
  };

  test(`is what the next one finds, ${TIMES} of ${TIMES} times`, async (test) => {
    const { open, outputs } = await setUp(test);
    const found: unknown[] = [];
    let client = await open();
    for (let position = 1; position <= TIMES; position++) {
      await client.transact(outputs, { offset: position, note: `of ${position}` });
      const next = await open();
      found.push(await next.committed());
      client.close();
      client = next;
    }
    const all = Array.from({ length: TIMES }, (_, i) => ({ offset: i + 1, note: `of ${i + 1}` }));
    expect(found).toEqual(all);
  });

  test('may be an older one to whoever does not open first, and does not ask for one that is stable', async (test) => {
    const { open, look, outputs } = await setUp(test);
    const client = await open();
    let position = 0;
    await waitFor('an older one', async () => {
      await client.transact(outputs, { offset: ++position, note: null });
      return (await look(false)) < position;
    });
    for (let i = 0; i < TIMES; i++) {
      await client.transact(outputs, { offset: ++position, note: null });
      expect(await look(true)).toBe(position);
    }
  });
});

describe('the first read of offsets, of many topics', () => {
  const TIMES = 60;
  const TOPICS = 14;
  const names = Array.from({ length: TOPICS }, (_, i) => unique(`topic-${i}`));
  const groupId = unique('group');
  beforeAll(async () => {
    await Promise.all(names.map((topic) => world.cluster.createTopic(topic, THREE)));
    const topics = names.map((topic) => ({ topic, partitions: START }));
    const member = { groupId, groupGenerationId: -1, memberId: '', retentionTime: -1 };
    await waitFor('the group has positions', async () => {
      const coordinator = await world.cluster.coordinatorOf({ groupId });
      await ask(world.cluster.addressOf(coordinator), exchangeOf('OffsetCommit', 2, { ...member, topics }));
      return true;
    });
  });
  const expected = names.flatMap((topic) => [0, 1, 2].map((of) => `${topic}/${of}`)).sort();

  test(`leaves nothing out, ${TIMES} of ${TIMES} times`, async () => {
    for (let i = 0; i < TIMES; i++) {
      const brokers = createBrokers(world.direct, 'first', silentLog);
      const partitions = await partitionsOfAll(brokers, names);
      const assigned = Object.fromEntries(names.map((topic) => [topic, [0, 1, 2]]));
      const [committed, bounds, points] = await Promise.all([
        committedOffsets(brokers, groupId, partitions),
        logBounds(brokers, partitions),
        startingPoints(brokers, groupId, assigned, new AbortController().signal),
      ]);
      brokers.close();
      expect([...committed.keys()].sort()).toEqual(expected);
      expect([...bounds.keys()].sort()).toEqual(expected);
      expect(points.map((of) => `${of.committed.topic}/${of.committed.partition}`).sort()).toEqual(expected);
      expect(points.every((of) => of.committed.offset === 0)).toBe(true);
    }
  });

  test('kafkajs leaves topics out, and that is no error', async () => {
    let lacking = false;
    for (let i = 0; i < TIMES && !lacking; i++) {
      const { Kafka, logLevel } = plainKafkajs();
      const admin = new Kafka({ brokers: [...world.direct.brokers], logLevel: logLevel.NOTHING }).admin();
      await admin.connect();
      const found = await admin.fetchOffsets({ groupId, topics: names }).catch(() => []);
      await admin.disconnect();
      lacking = found.length > 0 && found.some(({ partitions }) => partitions.length < 3);
    }
    expect(lacking).toBe(true);
  });
});

describe('several transactions that were aborted at the same time', () => {
  const WRITERS = 6;
  let topic: string;
  const expected: string[] = [];
  beforeAll(async () => {
    topic = await newTopic(world, 'aborted', [[1, 2, 3]]);
    const client = createKafka(world.direct, 'writers', silentLog);
    const producers = Array.from({ length: WRITERS }, () =>
      client.producer({ transactionalId: unique('writer'), idempotent: true, maxInFlightRequests: 1 }),
    );
    await Promise.all(producers.map((producer) => producer.connect()));
    const transactions = await Promise.all(producers.map((producer) => producer.transaction()));
    // All of them begin in order and write twice; they end in the opposite order, every other one by an abort.
    for (const half of ['first', 'second'])
      for (const [i, transaction] of transactions.entries()) {
        await transaction.send({ topic, acks: -1, messages: [{ value: `${i} ${half}` }] });
        if (i % 2 === 1) expected.push(`${i} ${half}`);
      }
    for (const [i, transaction] of [...transactions.entries()].reverse())
      await (i % 2 === 0 ? transaction.abort() : transaction.commit());
    await Promise.all(producers.map((producer) => producer.disconnect()));
  });

  test('nothing of them is read, wherever reading begins', async (test) => {
    expect(await readAll(world, topic)).toEqual([expected]);
    const brokers = createBrokers(world.direct, 'reader', silentLog);
    test.onTestFinished(async () => brokers.close());
    const { requestTimeoutMs } = world.direct;
    const from = async (fromOffset: number) => {
      const found: { readonly offset: number; readonly value: string }[] = [];
      const onRecords = (records: readonly { readonly offset: number; readonly value: Buffer | null }[]) => {
        found.push(...records.map(({ offset, value }) => ({ offset, value: String(value) })));
        return found.some(({ value }) => value.startsWith(END));
      };
      await readPartition(brokers, {
        topic,
        partition: 0,
        fromOffset,
        onRecords,
        idleMs: 20_000,
        requestTimeoutMs,
      });
      return found;
    };
    const all = await from(0);
    for (let offset = 1; offset < all.at(-1)!.offset; offset++)
      expect(await from(offset)).toEqual(all.filter((of) => of.offset >= offset));
  });

  test('kafkajs hands out records of them', async (test) => {
    const { Kafka, logLevel } = plainKafkajs();
    const client = new Kafka({ brokers: [...world.direct.brokers], logLevel: logLevel.NOTHING });
    const consumer = client.consumer({ groupId: unique('reader'), readUncommitted: false });
    await consumer.connect();
    test.onTestFinished(() => consumer.disconnect());
    await consumer.subscribe({ topic, fromBeginning: true });
    const found: string[] = [];
    await consumer.run({ eachMessage: async ({ message }) => void found.push(String(message.value)) });
    await waitFor('the end', () => found.some((value) => value.startsWith(END)));
    const aborted = found.filter((value) => !value.startsWith(END) && !expected.includes(value));
    expect(aborted).not.toEqual([]);
  });
});
