import { expect, it } from 'vitest';
import { EVENT_TYPES, isEventType } from './event-types.ts';
import { schemas } from './generated/schemas.gen.ts';
import {
  eventTopics,
  eventTypeOf,
  largestRawRecord,
  subjects,
  type TopicSettings,
  topicCatalogue,
  topics,
} from './topics.ts';

const settings: TopicSettings = {
  rawPartitions: 8,
  partitions: 6,
  deadLetterPartitions: 2,
  replicationFactor: 3,
  minInsyncReplicas: 2,
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
const find = (name: string) => catalogue.find((topic) => topic.name === name);

it('holds every topic once', () => {
  const names = catalogue.map(({ name }) => name);
  const { events: _, ...others } = topics;
  expect(names.toSorted()).toEqual([...Object.values(others), ...eventTopics].toSorted());
});

it('gives all topics that are keyed by recipient the same partition count', () => {
  const coPartitioned = [
    topics.normalized,
    topics.seen,
    topics.recipientState,
    topics.replays,
    topics.suppressions,
    ...eventTopics,
  ];
  for (const name of coPartitioned) expect([name, find(name)?.partitions]).toEqual([name, 6]);
  expect(find(topics.raw)?.partitions).toBe(8);
  expect(find(topics.deadLetters)?.partitions).toBe(2);
});

it('compacts state and expires the rest', () => {
  const compacted = catalogue.filter(({ config }) => config['cleanup.policy'] === 'compact');
  expect(compacted.map(({ name }) => name)).toEqual([
    topics.recipientState,
    topics.suppressions,
    topics.alerts,
    topics.mailWindows,
  ]);
  // Older states may name who was erased since.
  for (const name of [topics.recipientState, topics.suppressions])
    expect(find(name)?.config).toMatchObject({
      'max.compaction.lag.ms': '604800000',
      'delete.retention.ms': '604800000',
    });
  // What was told lately can all be read, not only the newest of it.
  expect(find(topics.alerts)?.config).toMatchObject({ 'min.compaction.lag.ms': '7776000000' });
  expect(find(topics.raw)?.config).toMatchObject({
    'cleanup.policy': 'delete',
    'retention.ms': '2592000000',
  });
  for (const { config } of catalogue) expect(config['min.insync.replicas']).toBe('2');
});

it('has a subject for each topic with a schema, and uses each schema', () => {
  const withSchema = catalogue.filter(({ schema }) => schema !== null);
  const pairs = (list: readonly { topic: string; schema: string | null }[]) =>
    list.map(({ topic, schema }) => `${topic} ${schema}`).toSorted();
  expect(pairs(subjects)).toEqual(pairs(withSchema.map(({ name, schema }) => ({ topic: name, schema }))));
  expect(subjects.map(({ schema }) => schema).toSorted()).toEqual(Object.keys(schemas).toSorted());
  expect(subjects.map(({ name }) => name)).toEqual(subjects.map(({ topic }) => `${topic}-value`));
});

it('knows the event type of a topic', () => {
  for (const type of EVENT_TYPES) expect(eventTypeOf(topics.events(type))).toBe(type);
  expect(eventTypeOf(topics.raw)).toBeUndefined();
  expect(isEventType('bounced')).toBe(true);
  expect(isEventType('toString')).toBe(false);
});

it('takes the largest request, and a dead letter that carries it whole', () => {
  for (const maxRequestBytes of [65_536, 1_048_576, 4_194_304, 16_777_216]) {
    const sized = topicCatalogue({ ...settings, maxRequestBytes });
    const limit = (name: string) =>
      Number(sized.find((topic) => topic.name === name)?.config['max.message.bytes']);
    const raw = largestRawRecord({ maxRequestBytes });
    expect(limit(topics.raw)).toBe(raw);
    // Headers of 16 KiB, escaped in JSON, are at most six times that.
    expect(raw).toBeGreaterThan(maxRequestBytes + 6 * 16_384);
    expect(limit(topics.deadLetters)).toBeGreaterThan(raw + 131_072);
    expect(limit(topics.replays)).toBe(limit(topics.deadLetters));
  }
});

it.each([16 * 1_048_576, 1_073_741_824])(
  'bounds a quarantine of %i bytes by segments, since Kafka removes whole ones alone',
  (quarantineBytes) => {
    const { config } = topicCatalogue({ ...settings, quarantineBytes }).find(
      ({ name }) => name === topics.quarantine,
    ) as { config: { [name: string]: string } };
    const segment = Number(config['segment.bytes']);
    expect(segment).toBeLessThanOrEqual(quarantineBytes);
    expect(segment).toBeGreaterThanOrEqual(Number(config['max.message.bytes']));
    expect(Number(config['retention.bytes'])).toBe(quarantineBytes);
  },
);
