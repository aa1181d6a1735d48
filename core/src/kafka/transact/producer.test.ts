import { beforeEach, expect, test } from 'vitest';
import { plainKafkajs } from '../../../../test/cluster/kafkajs/plain-kafkajs.ts';
import {
  addOffsetsToTxn,
  addPartitionsToTxn,
  endTxn,
  initProducerId,
  produce,
  txnOffsetCommit,
} from '../client/requests.ts';
import { KafkaJSRequestTimeoutError } from '../kafkajs/kafkajs.ts';
import { FakeBrokers } from '../testing/fake-brokers.ts';
import { after, type Output, Sequences, TransactionalProducer } from './producer.ts';

const NOT_COORDINATOR = 16;
const CONCURRENT = 51;
const INVALID_EPOCH = 47;

/** Codes of the answers that come next, by request; then 0. */
let codes: {
  init: number[];
  add: number[];
  produce: number[];
  place: number[];
  commit: number[];
  end: number[];
};
let brokers: FakeBrokers;
let epoch: number;
let leaveOut: number | undefined;
beforeEach(() => {
  codes = { init: [], add: [], produce: [], place: [], commit: [], end: [] };
  [epoch, leaveOut] = [0, undefined];
  brokers = new FakeBrokers({ t: [1, 2] });
  brokers.on(initProducerId, () => ({
    errorCode: codes.init.shift() ?? 0,
    producerId: '7',
    producerEpoch: epoch++,
  }));
  brokers.on(addPartitionsToTxn, ({ topics }) => {
    const errorCode = codes.add.shift() ?? 0;
    const errorsOf = (partitions: readonly number[]) =>
      partitions.filter((of) => of !== leaveOut).map((partition) => ({ partition, errorCode }));
    return {
      errors: topics.map(({ topic, partitions }) => ({ topic, partitionErrors: errorsOf(partitions) })),
    };
  });
  brokers.on(produce, ({ topicData }) => ({
    topics: topicData.map(({ topic, partitions }) => ({
      topicName: topic,
      partitions: partitions.map(({ partition }) => {
        const errorCode = codes.produce.shift() ?? 0;
        return { partition, errorCode, baseOffset: errorCode === 0 ? '10' : '-1' };
      }),
    })),
  }));
  brokers.on(addOffsetsToTxn, () => ({ errorCode: codes.place.shift() ?? 0 }));
  brokers.on(txnOffsetCommit, ({ topics }) => {
    const errorCode = codes.commit.shift() ?? 0;
    return {
      topics: topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map(({ partition }) => ({ partition, errorCode })),
      })),
    };
  });
  brokers.on(endTxn, () => ({ errorCode: codes.end.shift() ?? 0 }));
});

async function open() {
  const options = { transactionalId: 'x', transactionTimeoutMs: 60_000, requestTimeoutMs: 1_000 };
  const producer = new TransactionalProducer(brokers, options);
  await producer.open();
  return producer;
}
const output = (partition: number, ...values: string[]): Output => ({
  topic: 't',
  partition,
  messages: values.map((value) => ({ key: null, value: Buffer.from(value) })),
});
const ROUND = [output(0, 'a', 'b'), output(1, 'c')];
const POSITION = { groupId: 'g', topic: 'in', partition: 0, offset: 5, note: '7 seen' };
const ends = () =>
  brokers.askedFor('EndTxn').map(({ query }) => (query as { transactionResult: boolean }).transactionResult);
const sequences = () =>
  brokers
    .askedFor('Produce')
    .flatMap(
      ({ query }) =>
        (query as { topicData: { partitions: { partition: number; firstSequence: number }[] }[] }).topicData,
    )
    .flatMap(({ partitions }) =>
      partitions.map(({ partition, firstSequence }) => `${partition}:${firstSequence}`),
    );

test('all partitions are added before anything is sent, then it is committed with the position', async () => {
  const producer = await open();
  const last = await producer.transact([ROUND], POSITION);
  expect([last('t', 0), last('t', 1)]).toEqual([11, 10]);
  const order = brokers.asked.map(({ api }) => api);
  expect(brokers.askedFor('AddPartitionsToTxn')).toHaveLength(1);
  expect(order.indexOf('AddPartitionsToTxn')).toBeLessThan(order.indexOf('Produce'));
  expect(order.at(-1)).toBe('EndTxn');
  expect(brokers.askedFor('TxnOffsetCommit')[0]?.query).toMatchObject({
    topics: [{ topic: 'in', partitions: [{ partition: 0, offset: '5', metadata: '7 seen' }] }],
  });
});

test('what was not written to has no last offset', async () => {
  const last = await (await open()).transact([[output(0, 'a')]]);
  expect(() => last('t', 1)).toThrow('t/1');
  expect(() => last('other', 0)).toThrow('other/0');
});

test('the numbers go on from transaction to transaction, whatever is sent again', async () => {
  const producer = await open();
  codes.produce = [6, 6];
  await producer.transact([[output(0, 'a', 'b')], [output(0, 'c')]]);
  await producer.transact([[output(0, 'd')]]);
  expect(sequences()).toEqual(['0:0', '0:0', '0:0', '0:2', '0:3']);
});

test('a coordinator that moves in the middle is followed, at every step', async () => {
  codes.init = [NOT_COORDINATOR];
  const producer = await open();
  codes.add = [CONCURRENT, NOT_COORDINATOR];
  codes.place = [NOT_COORDINATOR];
  codes.commit = [NOT_COORDINATOR];
  codes.end = [NOT_COORDINATOR];
  brokers.coordinatorId = 2;
  await producer.transact([ROUND], POSITION);
  expect(brokers.askedFor('EndTxn').map(({ node }) => node)).toEqual([2, 2]);
  expect(ends()).toEqual([true, true]);
});

test('a partition that the coordinator says nothing of was not added: nothing is sent to it', async () => {
  const producer = await open();
  leaveOut = 1;
  brokers.on(addPartitionsToTxn, ({ topics }) => {
    // Only until the time is up, which takes too long for a test.
    if (brokers.askedFor('AddPartitionsToTxn').length > 3) throw new Error('enough');
    return {
      errors: topics.map(({ topic }) => ({ topic, partitionErrors: [{ partition: 0, errorCode: 0 }] })),
    };
  });
  await expect(producer.transact([ROUND])).rejects.toThrow('enough');
  expect(brokers.askedFor('Produce')).toEqual([]);
});

test('what is refused for good is aborted, and it is not used again', async () => {
  const producer = await open();
  codes.produce = [INVALID_EPOCH];
  await expect(producer.transact([[output(0, 'a')]], POSITION)).rejects.toMatchObject({
    type: 'INVALID_PRODUCER_EPOCH',
  });
  expect(ends()).toEqual([false]);
  await expect(producer.transact([[output(0, 'b')]])).rejects.toThrow('not used again');
});

test('every request has ended before it is aborted', async () => {
  const producer = await open();
  const slow = Promise.withResolvers<void>();
  let ended = false;
  brokers.on(txnOffsetCommit, async () => {
    await slow.promise;
    ended = true;
    return { topics: [{ topic: 'in', partitions: [{ partition: 0, errorCode: 0 }] }] };
  });
  const before: boolean[] = [];
  brokers.on(endTxn, () => {
    before.push(ended);
    return { errorCode: 0 };
  });
  codes.produce = [INVALID_EPOCH];
  const done = producer.transact([[output(0, 'a')]], POSITION);
  setTimeout(slow.resolve, 30);
  await expect(done).rejects.toThrow();
  expect(ends()).toEqual([false]);
  expect(before).toEqual([true]);
});

test('a commit whose answer is lost is asked for again: the same request, the same transaction', async () => {
  const producer = await open();
  let lost = true;
  brokers.on(endTxn, () => {
    if (!lost) return { errorCode: 0 };
    lost = false;
    throw new KafkaJSRequestTimeoutError('late');
  });
  await producer.transact([ROUND], POSITION);
  expect(ends()).toEqual([true, true]);
});

test('one that is opened anew has a new epoch, and begins to count anew', async () => {
  await (await open()).transact([[output(0, 'a')]]);
  const next = await open();
  await next.transact([[output(0, 'b')]]);
  const epochs = brokers
    .askedFor('Produce')
    .map(({ query }) => (query as { producerEpoch: number }).producerEpoch);
  expect(epochs).toEqual([0, 1]);
  expect(sequences()).toEqual(['0:0', '0:0']);
});

const LAST = 2 ** 31 - 1;

test('each partition counts by itself, and nothing is given twice', () => {
  const sequences = new Sequences();
  expect(sequences.take('t', 0, 3)).toBe(0);
  expect(sequences.take('t', 0, 1)).toBe(3);
  expect(sequences.take('t', 1, 1)).toBe(0);
  expect(sequences.take('u', 0, 1)).toBe(0);
  expect(sequences.take('t', 0, 1)).toBe(4);
  sequences.reset();
  expect(sequences.take('t', 0, 1)).toBe(0);
});

test('after the last number comes 0, also in the middle of a batch', () => {
  // kafkajs 2.2.4 begins at 0 wherever in a batch the last number is, and never uses the last number; brokers count on.
  expect(after(LAST - 1, 1)).toBe(LAST);
  expect(after(LAST, 1)).toBe(0);
  expect(after(LAST - 1, 5)).toBe(3);
  expect(after(0, 2 ** 31)).toBe(0);
});

test('the numbers go on over the end', () => {
  const sequences = new Sequences(LAST - 2);
  expect(Array.from({ length: 4 }, () => sequences.take('t', 0, 2))).toEqual([LAST - 2, LAST, 1, 3]);
});

interface EosManager {
  initProducerId(): Promise<void>;
  getSequence(topic: string, partition: number): number;
  updateSequence(topic: string, partition: number, by: number): void;
}

/** kafkajs's own count, as it is published. */
async function kafkajsCounts(first: number, records: number): Promise<number> {
  const create = plainKafkajs().require<(of: object) => EosManager>(
    'kafkajs/src/producer/eosManager/index.js',
  );
  const controller = { initProducerId: async () => ({ producerId: 1, producerEpoch: 0 }) };
  const cluster = {
    retry: {},
    refreshMetadataIfNecessary: async () => {},
    findControllerBroker: async () => controller,
  };
  const manager = create({ logger: { debug: () => {} }, cluster, transactional: false });
  await manager.initProducerId();
  manager.updateSequence('t', 0, first);
  manager.updateSequence('t', 0, records);
  return manager.getSequence('t', 0);
}

test('near the end kafkajs goes on with a number that no broker expects; ours with that of the brokers', async () => {
  expect([await kafkajsCounts(5, 10), after(5, 10)]).toEqual([15, 15]);
  expect([await kafkajsCounts(LAST - 1, 5), after(LAST - 1, 5)]).toEqual([0, 3]);
  expect([await kafkajsCounts(LAST - 1, 1), after(LAST - 1, 1)]).toEqual([0, LAST]);
});
