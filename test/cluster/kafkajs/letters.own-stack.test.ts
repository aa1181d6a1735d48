import { createBrokers, type InputRecord, silentLog } from '@email-events/core';
import type { Codec } from '@email-events/schemas';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { DeadLetters } from '../../../core/src/kafka/sink/dead-letters.ts';
import { Entry } from '../../../core/src/kafka/sink/entry.ts';
import { Sequences, TransactionalProducer } from '../../../core/src/kafka/transact/producer.ts';
import { unique } from '../../harness/isolation.ts';
import { fileScope, type TestScope } from '../../harness/stack.ts';
import { waitFor } from '../../harness/wait.ts';
import { plainKafkajs } from './plain-kafkajs.ts';
import { newTopic, placed, readAll, signal, startWorld, type World } from './world.ts';

const LETTERS = 'email.dead-letters';
const { scope, end } = fileScope();
let world: World;
beforeAll(async () => {
  world = await startWorld(scope);
  await world.cluster.createTopic(LETTERS, [[1, 2, 3]]);
});
afterEach(() => world.proxies.calm());
afterAll(end);

type Publish = (name: string) => Promise<unknown>;

const ours = (test: TestScope): Publish => {
  // A request without an answer is given up soon.
  const settings = { ...world.settings, requestTimeoutMs: 1_000, connectionTimeoutMs: 1_000 };
  const brokers = createBrokers(settings, 'letters', silentLog);
  test.onTestFinished(async () => brokers.close());
  const codec = {
    encoder: async () => ({ encode: ({ message }: { message: string }) => Buffer.from(message) }),
  };
  const letters = new DeadLetters({
    ...{ brokers, requestTimeoutMs: settings.requestTimeoutMs, stage: 'test', partitions: 1, log: silentLog },
    codec: codec as unknown as Pick<Codec, 'encoder'>,
  });
  const at = { topic: 'email.events.opened', partition: 0, key: null, value: Buffer.from('v'), headers: {} };
  const entry = (offset: number) =>
    new Entry<unknown>({ ...at, offset, timestamp: 1 } as InputRecord, {
      load: async () => {},
      read: () => ({}),
    });
  let offset = 0;
  return (name) => letters.publish([{ entry: entry(offset++), code: 'X', message: name, firstAt: 1 }], 1);
};

/** One idempotent producer for all, which gives up after some tries. */
const kafkajs = async (test: TestScope): Promise<Publish> => {
  const { Kafka, logLevel } = plainKafkajs();
  const { brokers } = world.settings;
  const retry = { initialRetryTime: 20, retries: 2 };
  const client = new Kafka({
    brokers,
    connectionTimeout: 500,
    requestTimeout: 500,
    retry,
    logLevel: logLevel.NOTHING,
  });
  const producer = client.producer({ idempotent: true, createPartitioner: () => placed });
  await producer.connect();
  test.onTestFinished(() => producer.disconnect());
  return (name) => producer.send({ topic: LETTERS, acks: -1, messages: [{ value: name }] });
};

/**
 * A letter arrives, but its answer does not, and its broker stays away: until the writer has given up, or has tried often enough.
 * Another one is written then. Those that were acknowledged, and what is there.
 */
async function loseAnAnswer(
  publish: Publish,
  givesUp: boolean,
): Promise<{ acknowledged: string[]; found: string[] }> {
  const { proxies } = world;
  const names = ['zero', 'ann_', 'bob_', 'cora'].map((name) => unique(name));
  const [zero, ann, bob, cora] = names as [string, string, string, string];
  const acknowledged: string[] = [];
  const write = (name: string) => publish(name).then(() => void acknowledged.push(name));
  await write(zero);
  const arrived = signal();
  let back = () => {};
  const calm = proxies.interfere({
    api: 'Produce',
    broker: 1,
    answer: () => {
      calm();
      back = proxies.takeAway(1);
      arrived.reach();
      return 'swallow';
    },
  });
  const before = proxies.refused;
  let settled = false;
  const first = write(ann)
    .catch(() => {})
    .finally(() => {
      settled = true;
    });
  await arrived.reached;
  await waitFor('it has tried', () => (givesUp ? settled : proxies.refused >= before + 5), 60_000);
  const second = write(bob);
  back();
  await Promise.all([first, second, write(cora)]);
  const [found = []] = await readAll(world, LETTERS);
  return { acknowledged, found: found.filter((name) => names.includes(name)) };
}

describe('a dead letter whose answer is lost', () => {
  test('those that are acknowledged are there', async (test) => {
    const { acknowledged, found } = await loseAnAnswer(ours(test), false);
    expect(acknowledged).toHaveLength(4);
    expect([...new Set(found)].sort()).toEqual([...acknowledged].sort());
  });

  test('kafkajs acknowledges the next one, which is not there', async (test) => {
    const { acknowledged, found } = await loseAnAnswer(await kafkajs(test), true);
    const lost = acknowledged.filter((name) => !found.includes(name));
    expect(lost).toEqual([expect.stringContaining('bob_')]);
  });
});

test('a producer whose numbers come to their end goes on: brokers count on from 0', async (test) => {
  const { settings } = world;
  const topic = await newTopic(world, 'numbers', [
    [1, 2, 3],
    [2, 3, 1],
  ]);
  const brokers = createBrokers(settings, 'numbers', silentLog);
  test.onTestFinished(async () => brokers.close());
  const options = {
    transactionalId: unique('numbers'),
    transactionTimeoutMs: 60_000,
    requestTimeoutMs: 10_000,
  };
  const producer = new TransactionalProducer(brokers, options, new Sequences(2 ** 31 - 4));
  await waitFor('it is open', async () => {
    await producer.open();
    return true;
  });
  const message = (value: string) => ({ key: null, value: Buffer.from(value) });
  const expected: string[] = [];
  for (let i = 0; i < 6; i++) {
    const values = [`${i}a`, `${i}b`, `${i}c`].slice(0, 1 + (i % 3));
    expected.push(...values);
    await producer.transact([
      [0, 1].map((partition) => ({ topic, partition, messages: values.map(message) })),
    ]);
  }
  expect(await readAll(world, topic, 2)).toEqual([expected, expected]);
});
