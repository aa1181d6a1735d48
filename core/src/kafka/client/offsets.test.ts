import { beforeEach, expect, test } from 'vitest';
import { startingPoints } from '../sink/assignment.ts';
import { FakeBrokers } from '../testing/fake-brokers.ts';
import { committedOffsets, logBounds, offsetsByTime, partitionsOfAll } from './offsets.ts';
import { listOffsets, offsetFetch } from './requests.ts';

const LOADING = 14;
const NOT_LEADER = 6;
const SHORT = { forMs: 30 };
const PARTITIONS = [
  { topic: 't', partition: 0 },
  { topic: 't', partition: 1 },
  { topic: 'u', partition: 0 },
];
const LEFT_OUT = { name: 'AnswerIncomplete' };

let brokers: FakeBrokers;
beforeEach(() => {
  brokers = new FakeBrokers({ t: [1, 2], u: [3] });
});

type Row = {
  topic: string;
  partitions: { partition: number; errorCode: number; offset: string; metadata: null }[];
};
/** Answers of a group: all that was asked for, without what `leave` says. */
function group(leave: (topic: string, partition: number) => boolean, code: () => number = () => 0) {
  brokers.on(offsetFetch, ({ topics }) => {
    const responses: Row[] = topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions
        .filter(({ partition }) => !leave(topic, partition))
        .map(({ partition }) => ({
          partition,
          errorCode: 0,
          offset: partition === 1 ? '-1' : '5',
          metadata: null,
        })),
    }));
    return { errorCode: code(), responses: responses.filter(({ partitions }) => partitions.length > 0) };
  });
}
/** Answers of leaders. */
function leaders(leave: (topic: string, partition: number) => boolean = () => false, code = () => 0) {
  brokers.on(listOffsets, ({ topics }) => ({
    responses: topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions
        .filter(({ partition }) => !leave(topic, partition))
        .map(({ partition, timestamp }) => ({
          partition,
          errorCode: code(),
          offset: timestamp === -2 ? '2' : '9',
        })),
    })),
  }));
}
const nothing = () => false;

test('what was committed, of every partition; nothing is null and not 0', async () => {
  group(nothing);
  const found = await committedOffsets(brokers, 'g', PARTITIONS);
  expect(Object.fromEntries(found)).toEqual({
    't/0': { offset: 5, metadata: null },
    't/1': { offset: null, metadata: null },
    'u/0': { offset: 5, metadata: null },
  });
});

test.each([
  ['a topic', (topic: string) => topic === 'u'],
  ['a partition', (topic: string, partition: number) => topic === 't' && partition === 0],
  ['everything', () => true],
])('an answer of a group that leaves out %s is an error', async (_what, leave) => {
  group(leave);
  await expect(committedOffsets(brokers, 'g', PARTITIONS, SHORT)).rejects.toMatchObject(LEFT_OUT);
  leaders();
  const assigned = { t: [0, 1], u: [0] };
  // It asks again for as long as it may, so it is told to stop.
  const signal = AbortSignal.timeout(100);
  await expect(startingPoints(brokers, 'g', assigned, signal)).rejects.toMatchObject(LEFT_OUT);
});

test('one that is complete when it is asked again is taken', async () => {
  let times = 0;
  group((topic) => topic === 'u' && ++times < 3);
  expect((await committedOffsets(brokers, 'g', PARTITIONS)).size).toBe(3);
  expect(times).toBe(3);
});

test('a coordinator that loads is waited for', async () => {
  let times = 0;
  group(nothing, () => (++times < 3 ? LOADING : 0));
  expect((await committedOffsets(brokers, 'g', PARTITIONS)).size).toBe(3);
});

test('bounds of every partition, from its leader', async () => {
  leaders();
  const found = await logBounds(brokers, PARTITIONS);
  expect([...found.keys()].sort()).toEqual(['t/0', 't/1', 'u/0']);
  expect([...found.values()]).toEqual(Array(3).fill({ low: 2, high: 9 }));
  expect(new Set(brokers.askedFor('ListOffsets').map(({ node }) => node))).toEqual(new Set([1, 2, 3]));
});

test('an answer of a leader that leaves a partition out is an error', async () => {
  leaders((topic, partition) => topic === 't' && partition === 1);
  await expect(logBounds(brokers, PARTITIONS, 'committed', SHORT)).rejects.toMatchObject(LEFT_OUT);
  await expect(offsetsByTime(brokers, PARTITIONS, 0, SHORT)).rejects.toMatchObject(LEFT_OUT);
});

test('a broker that does not lead is not believed; the leader is asked', async () => {
  brokers.on(listOffsets, ({ topics }, node) => ({
    responses: topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ partition }) => {
        const leads = brokers.topics[topic]?.[partition] === node;
        return { partition, errorCode: leads ? 0 : NOT_LEADER, offset: leads ? '4' : '-1' };
      }),
    })),
  }));
  await brokers.know(['t', 'u']);
  brokers.topics.t = [3, 3];
  expect([...(await logBounds(brokers, PARTITIONS)).values()]).toEqual(Array(3).fill({ low: 4, high: 4 }));
});

test('partitions of all topics, or an error', async () => {
  expect(await partitionsOfAll(brokers, ['t', 'u'])).toEqual(PARTITIONS);
  await expect(partitionsOfAll(brokers, ['t', 'absent'], SHORT)).rejects.toMatchObject({
    type: 'UNKNOWN_TOPIC_OR_PARTITION',
  });
});

test('where a group begins: everything that was assigned, with its bounds', async () => {
  group(nothing);
  leaders();
  const points = await startingPoints(brokers, 'g', { t: [0, 1], u: [0] }, new AbortController().signal);
  expect(points.map(({ committed }) => committed)).toEqual([
    { topic: 't', partition: 0, offset: 5, metadata: null },
    { topic: 't', partition: 1, offset: null, metadata: null },
    { topic: 'u', partition: 0, offset: 5, metadata: null },
  ]);
  expect(points.map(({ bounds }) => bounds)).toEqual(Array(3).fill({ low: 2, high: 9 }));
});
