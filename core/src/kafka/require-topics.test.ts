import { topicCatalogue, topics } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { commonConfig } from '../config/index.ts';
import { topicFault } from './require-topics.ts';
import { planFrom, type SeenTopic, seenTopics } from './topics-admin.ts';

const settings = { partitions: 3, rawPartitions: 2, replicationFactor: 1 };
const catalogue = topicCatalogue(commonConfig.parse({ topics: settings }).topics);
const names = [topics.raw, topics.normalized];

/** The cluster as configured, but for these topics; undefined: it is not there. */
function seen(changes: { readonly [topic: string]: Partial<SeenTopic> | undefined } = {}) {
  const all = catalogue.flatMap(({ name, partitions, replicationFactor }): [string, SeenTopic][] => {
    if (name in changes && changes[name] === undefined) return [];
    return [[name, { partitions, replicationFactor, ...changes[name] }]];
  });
  return new Map(all);
}

test('topics as configured are no problem', () => {
  expect(topicFault(catalogue, names, seen())).toBeUndefined();
});

test('topics of others are not required', () => {
  expect(topicFault(catalogue, names, seen({ [topics.deadLetters]: undefined }))).toBeUndefined();
});

test('all that is missing is named, with what makes it', () => {
  const fault = topicFault(catalogue, names, new Map());
  expect(fault).toMatchObject({
    code: 'KAFKA_TOPIC_MISSING',
    message: 'run `topics apply`: email.raw is missing; email.internal.normalized is missing',
  });
});

test('a topic that may get more partitions gets them', () => {
  expect(topicFault(catalogue, names, seen({ [topics.raw]: { partitions: 1 } }))).toMatchObject({
    code: 'KAFKA_TOPIC_MISSING',
    message: 'run `topics apply`: email.raw has 1 partition instead of 2',
  });
});

test.each([
  ['of the service', { [topics.normalized]: { partitions: 4 } }],
  ['of another service', { [topics.raw]: undefined, [topics.suppressions]: { partitions: 2 } }],
  ['in replicas', { [topics.raw]: undefined, [topics.suppressions]: { replicationFactor: 3 } }],
])('what `topics apply` refuses is not sent there: a difference %s', (_, changes) => {
  const there = seen(changes);
  const fault = topicFault(catalogue, names, there);
  expect(fault).toMatchObject({ code: 'KAFKA_TOPIC_CONFLICT', disposition: 'fatal' });
  expect(fault?.message).not.toContain('run `topics apply`');
  const unknown = { config: new Map(), overrides: new Map() };
  const states = new Map([...there].map(([name, topic]) => [name, { ...topic, ...unknown }]));
  expect(planFrom(catalogue, states).problems).toBe(1);
});

const partition = (partitionId: number, replicas: number[]) => ({
  ...{ partitionErrorCode: 0, partitionId, leader: 1, replicas, isr: replicas },
});

test.each([
  ['leaves a topic out', []],
  ['has no partitions of it yet', [{ name: 'email.raw', partitions: [] }]],
  ['has no replicas of them', [{ name: 'email.raw', partitions: [partition(0, [])] }]],
])('an answer that %s is none, and may be asked for again', async (_, told) => {
  const admin = { fetchTopicMetadata: async () => ({ topics: told }) };
  await expect(seenTopics(admin, ['email.raw'])).rejects.toMatchObject({ retriable: true });
});

test('what is seen of a topic are its partitions and the replicas of each', async () => {
  const told = [{ name: 'email.raw', partitions: [partition(0, [1, 2]), partition(1, [2, 3])] }];
  const admin = { fetchTopicMetadata: async () => ({ topics: told }) };
  const seen = await seenTopics(admin, ['email.raw']);
  expect([...seen]).toEqual([['email.raw', { partitions: 2, replicationFactor: 2 }]]);
});
