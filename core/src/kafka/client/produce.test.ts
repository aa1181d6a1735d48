import { expect, test } from 'vitest';
import { KafkaJSRequestTimeoutError } from '../kafkajs/kafkajs.ts';
import { FakeBrokers } from '../testing/fake-brokers.ts';
import type { OutputRecord } from '../transact/stage.ts';
import { produceAll, roundsOf } from './produce.ts';
import type { ProduceQuery } from './produce-frame.ts';
import { produce } from './requests.ts';

const NOT_LEADER = 6;
const INVALID_PRODUCER_EPOCH = 47;
const OPTIONS = { forMs: 10_000, requestTimeoutMs: 1_000 };

interface Sent {
  readonly node: number;
  readonly partition: number;
  readonly sequence: number | undefined;
  readonly values: string[];
}

/** Brokers whose answer for each partition is what `answer` says: an offset, an error code, or nothing. */
function cluster(
  leaders: number[],
  answer: (sent: Sent, round: number) => { offset: number } | { code: number } | 'left out' | Promise<never>,
) {
  const brokers = new FakeBrokers({ t: leaders });
  const sent: Sent[] = [];
  const rounds = new Map<number, number>();
  brokers.on(produce, async ({ topicData }: ProduceQuery, node) => {
    const partitions: { partition: number; errorCode: number; baseOffset: string }[] = [];
    for (const { partition, firstSequence, messages } of topicData.flatMap((topic) => topic.partitions)) {
      const values = messages.map(({ value }) => String(value));
      const one = { node, partition, sequence: firstSequence, values };
      const round = (rounds.get(partition) ?? 0) + 1;
      rounds.set(partition, round);
      sent.push(one);
      const said = await answer(one, round);
      if (said === 'left out') continue;
      if ('code' in said) partitions.push({ partition, errorCode: said.code, baseOffset: '-1' });
      else partitions.push({ partition, errorCode: 0, baseOffset: String(said.offset) });
    }
    return { topics: [{ topicName: 't', partitions }] };
  });
  return { brokers, sent };
}

const batch = (partition: number, value: string, firstSequence?: number) => ({
  topic: 't',
  partition,
  messages: [{ key: null, value: Buffer.from(value) }],
  ...(firstSequence === undefined ? {} : { firstSequence }),
});

test('each leader gets what is its own, in one request', async () => {
  const { brokers, sent } = cluster([1, 2, 1], ({ partition }) => ({ offset: 10 + partition }));
  await brokers.know(['t']);
  const outcomes = await produceAll(brokers, [batch(0, 'a'), batch(1, 'b'), batch(2, 'c')], OPTIONS);
  expect(outcomes).toEqual([{ baseOffset: 10 }, { baseOffset: 11 }, { baseOffset: 12 }]);
  expect(sent.map(({ node, values }) => `${node} ${values}`).sort()).toEqual(['1 a', '1 c', '2 b']);
  expect(brokers.askedFor('Produce')).toHaveLength(2);
});

test('what moved is sent to its next leader as it was, although that one has answered; the rest is not sent again', async () => {
  const { brokers, sent } = cluster([1, 2], ({ partition, node }) =>
    partition === 0 && node === 1 ? { code: NOT_LEADER } : { offset: 5 },
  );
  await brokers.know(['t']);
  brokers.topics.t = [2, 2];
  const outcomes = await produceAll(brokers, [batch(0, 'a', 7), batch(1, 'b', 9)], OPTIONS);
  expect(outcomes).toEqual([{ baseOffset: 5 }, { baseOffset: 5 }]);
  expect(sent.map(({ node, partition, sequence }) => [node, partition, sequence])).toEqual([
    [1, 0, 7],
    [2, 1, 9],
    [2, 0, 7],
  ]);
});

test('a partition that was acknowledged and then moves is not sent again', async () => {
  const { brokers, sent } = cluster([1, 2], ({ partition }, round) =>
    partition === 1 && round === 1 ? { code: NOT_LEADER } : { offset: 0 },
  );
  await brokers.know(['t']);
  brokers.topics.t = [3, 3];
  await produceAll(brokers, [batch(0, 'a'), batch(1, 'b')], OPTIONS);
  expect(sent.filter(({ partition }) => partition === 0)).toHaveLength(1);
});

test('nothing is sent again before every request has ended', async () => {
  const slow = Promise.withResolvers<void>();
  let ended = false;
  const { brokers, sent } = cluster([1, 2], () => ({ offset: 0 }));
  const before: boolean[] = [];
  brokers.on(produce, async ({ topicData }: ProduceQuery, node) => {
    const [of] = topicData[0]!.partitions;
    sent.push({ node, partition: of!.partition, sequence: undefined, values: [] });
    const first = sent.filter(({ partition }) => partition === of!.partition).length === 1;
    if (!first) before.push(ended);
    if (node === 2) {
      await slow.promise;
      ended = true;
    } else if (first) setTimeout(slow.resolve, 50);
    const errorCode = node === 1 && first ? NOT_LEADER : 0;
    return {
      topics: [{ topicName: 't', partitions: [{ partition: of!.partition, errorCode, baseOffset: '0' }] }],
    };
  });
  await brokers.know(['t']);
  await produceAll(brokers, [batch(0, 'a'), batch(1, 'b')], OPTIONS);
  expect(before).toEqual([true]);
});

test('a partition that an answer leaves out was not answered, and is asked for again', async () => {
  const { brokers, sent } = cluster([1, 1], ({ partition }, round) =>
    partition === 1 && round === 1 ? 'left out' : { offset: 3 },
  );
  await brokers.know(['t']);
  const outcomes = await produceAll(brokers, [batch(0, 'a'), batch(1, 'b', 4)], OPTIONS);
  expect(outcomes).toEqual([{ baseOffset: 3 }, { baseOffset: 3 }]);
  expect(sent.map(({ partition }) => partition)).toEqual([0, 1, 1]);
  expect(sent.map(({ sequence }) => sequence)).toEqual([undefined, 4, 4]);
});

test('without an answer until the time is up each says so', async () => {
  const { brokers } = cluster([1, 2], ({ partition }) => (partition === 1 ? 'left out' : { offset: 0 }));
  await brokers.know(['t']);
  const outcomes = await produceAll(brokers, [batch(0, 'a'), batch(1, 'b')], { ...OPTIONS, forMs: 50 });
  expect(outcomes).toEqual([
    { baseOffset: 0 },
    { error: expect.objectContaining({ name: 'AnswerIncomplete', retriable: true }) },
  ]);
});

test('a lost answer is one that was not given: the same again, and no offset of a repetition is made up', async () => {
  const { brokers, sent } = cluster([1], (_sent, round) =>
    round === 1 ? Promise.reject(new KafkaJSRequestTimeoutError('late')) : { offset: -1 },
  );
  await brokers.know(['t']);
  const [outcome] = await produceAll(brokers, [batch(0, 'a', 2)], { ...OPTIONS, forMs: 50 });
  expect(sent.length).toBeGreaterThan(1);
  expect(new Set(sent.map(({ sequence }) => sequence))).toEqual(new Set([2]));
  expect(outcome).toEqual({ error: expect.objectContaining({ name: 'AnswerIncomplete' }) });
});

test('what a broker refuses for good ends it, and is told of its partition', async () => {
  const { brokers, sent } = cluster([1, 2], ({ partition }) =>
    partition === 0 ? { code: INVALID_PRODUCER_EPOCH } : { code: NOT_LEADER },
  );
  await brokers.know(['t']);
  const outcomes = await produceAll(brokers, [batch(0, 'a'), batch(1, 'b')], OPTIONS);
  expect(outcomes).toEqual([
    { error: expect.objectContaining({ type: 'INVALID_PRODUCER_EPOCH' }) },
    { error: expect.objectContaining({ type: 'NOT_LEADER_FOR_PARTITION' }) },
  ]);
  expect(sent).toHaveLength(2);
});

test('a partition without a leader waits for one', async () => {
  const { brokers, sent } = cluster([-1, 2], () => ({ offset: 1 }));
  await brokers.know(['t']);
  const all = produceAll(brokers, [batch(0, 'a'), batch(1, 'b')], OPTIONS);
  brokers.topics.t = [3, 2];
  expect(await all).toEqual([{ baseOffset: 1 }, { baseOffset: 1 }]);
  expect(sent.map(({ node, partition }) => [node, partition])).toEqual([
    [2, 1],
    [3, 0],
  ]);
});

const record = (topic: string, partition: number, bytes: number, mark = 0): OutputRecord => ({
  topic,
  partition,
  key: null,
  value: Buffer.alloc(bytes, mark),
});

const values = (rounds: ReturnType<typeof roundsOf>, topic: string, partition: number) =>
  rounds.flatMap((round) =>
    round
      .filter((output) => output.topic === topic && output.partition === partition)
      .flatMap(({ messages }) => messages)
      .map(({ value }) => (value as Buffer)[0]),
  );

test('nothing is nothing to send', () => {
  expect(roundsOf([])).toEqual([]);
});

test('what fits goes in one send, by partition', () => {
  const rounds = roundsOf([record('a', 0, 10), record('b', 1, 10), record('a', 1, 10)], 1_000);
  expect(rounds).toHaveLength(1);
  expect(rounds[0]?.map(({ topic, partition, messages }) => [topic, partition, messages.length])).toEqual([
    ['a', 0, 1],
    ['b', 1, 1],
    ['a', 1, 1],
  ]);
});

test('no partition gets more than its limit in one send, and keeps its order', () => {
  const outputs = Array.from({ length: 20 }, (_, i) => record('a', i % 2, 300, i));
  const rounds = roundsOf(outputs, 1_000);
  for (const round of rounds) {
    for (const partition of [0, 1]) {
      const bytes = round
        .filter((output) => output.partition === partition)
        .flatMap(({ messages }) => messages)
        .reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
      expect(bytes).toBeLessThanOrEqual(1_000);
    }
  }
  expect(values(rounds, 'a', 0)).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
  expect(values(rounds, 'a', 1)).toEqual([1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
});

test('a partition that is full does not hold up the others', () => {
  const rounds = roundsOf([record('a', 0, 900), record('a', 0, 900), record('b', 0, 10)], 1_000);
  expect(rounds[0]?.map(({ topic }) => topic)).toEqual(['a', 'b']);
  expect(rounds).toHaveLength(2);
});

test('a record beyond the limit is sent alone', () => {
  const rounds = roundsOf([record('a', 0, 10, 1), record('a', 0, 5_000, 2), record('a', 0, 10, 3)], 1_000);
  expect(rounds).toHaveLength(3);
  expect(values(rounds, 'a', 0)).toEqual([1, 2, 3]);
});

test('keys count, and headers are passed on', () => {
  const large = { ...record('a', 0, 0), key: 'k'.repeat(800), headers: { h: Buffer.from('x') } };
  const rounds = roundsOf([large, large], 1_000);
  expect(rounds).toHaveLength(2);
  expect(rounds[0]?.[0]?.messages[0]?.headers).toEqual({ h: Buffer.from('x') });
  expect(roundsOf([record('a', 0, 1)])[0]?.[0]?.messages[0]).not.toHaveProperty('headers');
});
