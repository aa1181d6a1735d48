import { type TopicSettings, topicCatalogue, topics } from '@email-events/schemas';
import { describe, expect, test } from 'vitest';
import { commonConfig } from '../../config/index.ts';
import { planFrom, type SeenTopic, type TopicState, topicFault } from './topic-plan.ts';
import { seenTopics } from './topics.ts';

const settings: TopicSettings = {
  rawPartitions: 6,
  partitions: 6,
  deadLetterPartitions: 1,
  replicationFactor: 1,
  minInsyncReplicas: 1,
  maxRequestBytes: 4_194_304,
  quarantineBytes: 1_073_741_824,
  retention: {
    rawDays: 30,
    normalizedDays: 7,
    seenDays: 7,
    eventsDays: 14,
    deadLettersDays: 90,
    quarantineHours: 72,
    compactionDays: 7,
  },
};
const catalogue = topicCatalogue(settings);

/** A cluster on which everything is as configured, with inherited settings beside it. */
function matching(): Map<string, TopicState> {
  return new Map(
    catalogue.map(({ name, partitions, replicationFactor, config }) => [
      name,
      {
        partitions,
        replicationFactor,
        config: new Map([['segment.bytes', '1073741824'], ...Object.entries(config)]),
        overrides: new Map(Object.entries(config)),
      },
    ]),
  );
}

function planWith(topic: string, change: Partial<TopicState>) {
  const states = matching();
  states.set(topic, { ...(states.get(topic) as TopicState), ...change });
  const plan = planFrom(catalogue, states);
  return { plan, own: plan.actions.filter((action) => action.topic === topic) };
}

describe('planFrom', () => {
  test('creates everything on an empty cluster, as configured', () => {
    const plan = planFrom(catalogue, new Map());
    expect(plan).toMatchObject({ changes: catalogue.length, problems: 0 });
    expect(plan.actions).toContainEqual({
      topic: topics.deadLetters,
      kind: 'create',
      partitions: 1,
      replicationFactor: 1,
    });
  });

  test('has nothing to do when all is as configured', () => {
    const plan = planFrom(catalogue, matching());
    expect(plan).toMatchObject({ changes: 0, problems: 0 });
    expect(new Set(plan.actions.map(({ kind }) => kind))).toEqual(new Set(['unchanged']));
  });

  test('names each setting that differs, with both values', () => {
    const config = new Map(matching().get(topics.raw)?.config).set('retention.ms', '1000');
    const { plan, own } = planWith(topics.raw, { config });
    expect(plan.changes).toBe(1);
    expect(own).toEqual([
      {
        topic: topics.raw,
        kind: 'alter-config',
        changes: [{ name: 'retention.ms', from: '1000', to: String(30 * 86_400_000) }],
      },
    ]);
  });

  test('leaves settings alone that the catalogue does not mention', () => {
    const config = new Map(matching().get(topics.raw)?.config).set('segment.bytes', '1');
    expect(planWith(topics.raw, { config }).plan.changes).toBe(0);
  });

  test('adds partitions to email.raw', () => {
    const { plan, own } = planWith(topics.raw, { partitions: 2 });
    expect(own).toEqual([{ topic: topics.raw, kind: 'add-partitions', from: 2, to: 6 }]);
    expect(plan.problems).toBe(0);
  });

  test.each([topics.normalized, topics.events('bounced'), topics.suppressions, topics.seen])(
    'never adds partitions to %s, whose records are found by key',
    (topic) => {
      const { plan, own } = planWith(topic, { partitions: 2 });
      expect(own).toMatchObject([{ kind: 'problem', code: 'KAFKA_TOPIC_CONFLICT' }]);
      expect(plan).toMatchObject({ problems: 1, changes: 0 });
    },
  );

  test('too many partitions and another number of replicas are problems, both reported', () => {
    const { own } = planWith(topics.raw, { partitions: 8, replicationFactor: 3 });
    expect(own.map(({ kind }) => kind)).toEqual(['problem', 'problem']);
  });
});

const asked = { partitions: 3, rawPartitions: 2, replicationFactor: 1 };
const wanted = topicCatalogue(commonConfig.parse({ topics: asked }).topics);
const names = [topics.raw, topics.normalized];

/** The cluster as configured, but for these topics; undefined: it is not there. */
function seen(changes: { readonly [topic: string]: Partial<SeenTopic> | undefined } = {}) {
  const all = wanted.flatMap(({ name, partitions, replicationFactor }): [string, SeenTopic][] => {
    if (name in changes && changes[name] === undefined) return [];
    return [[name, { partitions, replicationFactor, ...changes[name] }]];
  });
  return new Map(all);
}

test('topics as configured are no problem', () => {
  expect(topicFault(wanted, names, seen())).toBeUndefined();
});

test('topics of others are not required', () => {
  expect(topicFault(wanted, names, seen({ [topics.deadLetters]: undefined }))).toBeUndefined();
});

test('all that is missing is named, with what makes it', () => {
  const fault = topicFault(wanted, names, new Map());
  expect(fault).toMatchObject({
    code: 'KAFKA_TOPIC_MISSING',
    message: 'run `topics apply`: email.raw is missing; email.internal.normalized is missing',
  });
});

test('a topic that may get more partitions gets them', () => {
  expect(topicFault(wanted, names, seen({ [topics.raw]: { partitions: 1 } }))).toMatchObject({
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
  const fault = topicFault(wanted, names, there);
  expect(fault).toMatchObject({ code: 'KAFKA_TOPIC_CONFLICT', disposition: 'fatal' });
  expect(fault?.message).not.toContain('run `topics apply`');
  const unknown = { config: new Map(), overrides: new Map() };
  const states = new Map([...there].map(([name, topic]) => [name, { ...topic, ...unknown }]));
  expect(planFrom(wanted, states).problems).toBe(1);
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
