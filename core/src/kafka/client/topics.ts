import type { TopicSpec } from '@email-events/schemas';
import type { Admin, ConfigResourceTypes } from 'kafkajs';
import { PipelineError } from '../../errors.ts';
import { retry } from '../../retry.ts';
import { AnswerIncomplete, isUnreachable, reaching } from '../errors.ts';
import { type KafkaSettings, readWithAdmin, withAdmin } from './client.ts';
import {
  planFrom,
  type SeenTopic,
  type TopicAction,
  type TopicPlan,
  type TopicState,
  topicFault,
} from './topic-plan.ts';

// The protocol's number. kafkajs has a name for it, which Node cannot see in a CommonJS module.
const TOPIC_RESOURCE: ConfigResourceTypes = 2;

/** Compares the cluster with the catalogue. Changes nothing. Throws KAFKA_UNREACHABLE. */
export function planTopics(settings: KafkaSettings, catalogue: readonly TopicSpec[]): Promise<TopicPlan> {
  return readWithAdmin(settings, async (admin) =>
    planFrom(catalogue, await describeTopics(admin, catalogue)),
  );
}

/**
 * Makes the cluster match the catalogue and returns what was done. With a problem in the plan it changes nothing,
 * so that no pipeline is left half changed. Applying twice is the same as applying once.
 */
export function applyTopics(settings: KafkaSettings, catalogue: readonly TopicSpec[]): Promise<TopicPlan> {
  return withAdmin(settings, async (admin) => {
    const states = await describeTopics(admin, catalogue);
    const plan = planFrom(catalogue, states);
    if (plan.problems > 0 || plan.changes === 0) return plan;
    await execute(admin, plan, catalogue, states);
    await seen(admin, catalogue);
    return plan;
  });
}

/**
 * Makes sure, before a service touches anything, that its topics are there with as many partitions as configured:
 * a recipient's partition is a number that all topics must mean alike. Needs no right but to describe topics.
 * Throws KAFKA_TOPIC_MISSING, or KAFKA_TOPIC_CONFLICT where `topics apply` would refuse; both name all that are wrong. And
 * KAFKA_UNREACHABLE, also for an answer that is none (see seenTopics): a service that starts asks again (see whenThere).
 */
export async function requireTopics(
  settings: KafkaSettings,
  catalogue: readonly TopicSpec[],
  names: readonly string[],
): Promise<void> {
  const look = async (admin: Admin) => {
    const existing = new Set(await admin.listTopics());
    return seenTopics(
      admin,
      catalogue.map(({ name }) => name).filter((name) => existing.has(name)),
    );
  };
  const seen = await reaching(() => withAdmin(settings, look));
  const wrong = topicFault(catalogue, names, seen);
  if (wrong) throw wrong;
}

async function describeTopics(
  admin: Admin,
  catalogue: readonly TopicSpec[],
): Promise<Map<string, TopicState>> {
  const existing = new Set(await admin.listTopics());
  const names = catalogue.map(({ name }) => name).filter((name) => existing.has(name));
  if (names.length === 0) return new Map();
  const [seen, configs] = await Promise.all([
    seenTopics(admin, names),
    admin.describeConfigs({
      includeSynonyms: false,
      resources: names.map((name) => ({ type: TOPIC_RESOURCE, name })),
    }),
  ]);
  return new Map(
    [...seen].map(([name, topic]) => {
      const entries =
        configs.resources.find(({ resourceName }) => resourceName === name)?.configEntries ?? [];
      const overrides = entries.filter(({ configSource }) => Number(configSource) === TOPIC_SOURCE);
      return [name, { ...topic, config: valuesOf(entries), overrides: valuesOf(overrides) }];
    }),
  );
}

const valuesOf = (entries: readonly { readonly configName: string; readonly configValue: string }[]) =>
  new Map(entries.map(({ configName, configValue }) => [configName, configValue]));

/**
 * Of topics that there are. An answer that leaves one of them out, or tells of one without partitions, is none, and may be another
 * when it is asked for again.
 */
export async function seenTopics(
  admin: Pick<Admin, 'fetchTopicMetadata'>,
  names: readonly string[],
): Promise<Map<string, SeenTopic>> {
  if (names.length === 0) return new Map();
  const { topics: told } = await admin.fetchTopicMetadata({ topics: [...names] });
  return new Map(
    names.map((name) => {
      const partitions = told.find((topic) => topic.name === name)?.partitions ?? [];
      const replicas = partitions[0]?.replicas.length;
      if (!replicas) throw new AnswerIncomplete(name);
      return [name, { partitions: partitions.length, replicationFactor: replicas }];
    }),
  );
}

/** DescribeConfigs: the setting was made on the topic itself. */
const TOPIC_SOURCE = 1;

async function execute(
  admin: Admin,
  plan: TopicPlan,
  catalogue: readonly TopicSpec[],
  states: ReadonlyMap<string, TopicState>,
): Promise<void> {
  const specs = new Map(catalogue.map((spec) => [spec.name, spec]));
  const of = <K extends TopicAction['kind']>(kind: K) =>
    plan.actions.filter((action): action is Extract<TopicAction, { kind: K }> => action.kind === kind);

  const created = of('create').map(({ topic, partitions, replicationFactor }) => ({
    topic,
    numPartitions: partitions,
    replicationFactor,
    configEntries: entriesOf(new Map(Object.entries(specs.get(topic)?.config ?? {}))),
  }));
  // Leaders are waited for by `seen`: kafkajs's own wait takes a broker that has not heard of a topic yet for a failure.
  if (created.length > 0) await admin.createTopics({ topics: created, waitForLeaders: false });

  const grown = of('add-partitions').map(({ topic, to }) => ({ topic, count: to }));
  if (grown.length > 0) await admin.createPartitions({ topicPartitions: grown });

  // kafkajs has only AlterConfigs, which drops every override that it is not given: so it is given all of them.
  const altered = of('alter-config').map(({ topic, changes }) => ({
    type: TOPIC_RESOURCE,
    name: topic,
    configEntries: entriesOf(
      new Map([
        ...(states.get(topic)?.overrides ?? []),
        ...changes.map(({ name, to }) => [name, to] as const),
      ]),
    ),
  }));
  if (altered.length > 0) await admin.alterConfigs({ validateOnly: false, resources: altered });
}

/** The controller accepts a change before every broker shows it; those who applied it may rely on it at once. */
async function seen(admin: Admin, catalogue: readonly TopicSpec[]): Promise<void> {
  const late = new PipelineError(
    'KAFKA_TOPIC_CONFLICT',
    'retry',
    `changes are not visible after ${VISIBLE_MS} ms`,
  );
  const look = async () => {
    const { changes } = planFrom(catalogue, await describeTopics(admin, catalogue));
    if (changes > 0) throw late;
  };
  const backoff = { firstMs: VISIBLE_PAUSE_MS, longestMs: VISIBLE_PAUSE_MS };
  // Of several brokers one may know a topic of which the next one that is asked has not heard: not yet visible, then.
  const retryIf = (error: unknown) => error === late || isUnreachable(error);
  await retry(look, { forMs: VISIBLE_MS, backoff, retryIf });
}

const VISIBLE_PAUSE_MS = 50;
const VISIBLE_MS = 15_000;

const entriesOf = (settings: ReadonlyMap<string, string>) =>
  [...settings].map(([name, value]) => ({ name, value }));
