import { type TopicSettings, topicCatalogue, topics } from '@email-events/schemas';
import { describe, expect, test } from 'vitest';
import { planFrom, type TopicState } from './topics-admin.ts';

const settings: TopicSettings = {
  rawPartitions: 6,
  partitions: 6,
  deadLetterPartitions: 1,
  replicationFactor: 1,
  minInsyncReplicas: 1,
  maxRequestBytes: 4_194_304,
  retention: { rawDays: 30, normalizedDays: 7, seenDays: 7, eventsDays: 14, deadLettersDays: 90 },
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
