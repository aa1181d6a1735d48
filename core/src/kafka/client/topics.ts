import { type TopicSpec, topics } from '@email-events/schemas';
import type { Admin, ConfigResourceTypes } from 'kafkajs';
import { PipelineError } from '../../errors.ts';
import { retry } from '../../retry.ts';
import { counted, formatCount } from '../../wording.ts';
import { AnswerIncomplete, isUnreachable, reaching } from '../errors.ts';
import { type KafkaSettings, readWithAdmin, withAdmin } from './client.ts';

// The protocol's number. kafkajs has a name for it, which Node cannot see in a CommonJS module.
const TOPIC_RESOURCE: ConfigResourceTypes = 2;

/** One thing that `topics apply` would do about a topic, and why. */
export type TopicAction = { readonly topic: string } & (
  | { readonly kind: 'create'; readonly partitions: number; readonly replicationFactor: number }
  | { readonly kind: 'add-partitions'; readonly from: number; readonly to: number }
  | { readonly kind: 'alter-config'; readonly changes: readonly ConfigChange[] }
  | { readonly kind: 'unchanged' }
  /** It differs in a way that cannot be changed in place; an operator has to decide. */
  | { readonly kind: 'problem'; readonly code: 'KAFKA_TOPIC_CONFLICT'; readonly message: string }
);

export interface ConfigChange {
  readonly name: string;
  /** Null: the cluster did not say. */
  readonly from: string | null;
  readonly to: string;
}

export interface TopicPlan {
  /** In the order of the catalogue; a topic that needs several changes has several. */
  readonly actions: readonly TopicAction[];
  /** How many of them change something. */
  readonly changes: number;
  readonly problems: number;
}

/** The state of an existing topic, as far as the plan looks at it. */
export interface TopicState {
  readonly partitions: number;
  readonly replicationFactor: number;
  /** Effective settings, inherited ones included. */
  readonly config: ReadonlyMap<string, string>;
  /** Settings that were set on this topic. */
  readonly overrides: ReadonlyMap<string, string>;
}

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

/** Pure: what must be done to get from these states (topics that do not exist are absent) to the catalogue. */
export function planFrom(
  catalogue: readonly TopicSpec[],
  states: ReadonlyMap<string, TopicState>,
): TopicPlan {
  const actions = catalogue.flatMap((spec) => actionsFor(spec, states.get(spec.name)));
  const count = (wanted: (action: TopicAction) => boolean) => actions.filter(wanted).length;
  return {
    actions,
    changes: count(({ kind }) => kind !== 'unchanged' && kind !== 'problem'),
    problems: count(({ kind }) => kind === 'problem'),
  };
}

/** Records of these are not found by key, so a new partition breaks no one's order and no co-partitioning. */
const growable: readonly string[] = [topics.raw, topics.tokens, topics.deadLetters];

function actionsFor(spec: TopicSpec, state: TopicState | undefined): TopicAction[] {
  const { name: topic, partitions, replicationFactor } = spec;
  if (!state) return [{ topic, kind: 'create', partitions, replicationFactor }];
  const actions: TopicAction[] = [];
  const partitionsInstead = instead(state.partitions, 'partition', partitions);
  const problem = (message: string) =>
    actions.push({ topic, kind: 'problem', code: 'KAFKA_TOPIC_CONFLICT', message });

  if (state.partitions > partitions) {
    problem(`has ${partitionsInstead}; Kafka cannot remove any`);
  } else if (state.partitions < partitions && growable.includes(topic)) {
    actions.push({ topic, kind: 'add-partitions', from: state.partitions, to: partitions });
  } else if (state.partitions < partitions) {
    problem(`has ${partitionsInstead}; more would move recipients to other partitions than their history`);
  }
  if (state.replicationFactor !== replicationFactor) {
    const replicas = instead(state.replicationFactor, 'replica', replicationFactor);
    problem(`has ${replicas}; reassign its partitions with Kafka's own tool`);
  }
  const changes = Object.entries(spec.config)
    .filter(([name, value]) => state.config.get(name) !== value)
    .map(([name, to]) => ({ name, from: state.config.get(name) ?? null, to }));
  if (changes.length > 0) actions.push({ topic, kind: 'alter-config', changes });
  return actions.length > 0 ? actions : [{ topic, kind: 'unchanged' }];
}

/** `4 partitions instead of 3`, as there are and as are configured. */
export const instead = (there: number, what: string, configured: number): string =>
  `${counted(there, what)} instead of ${formatCount(configured)}`;

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

/** The part of a topic's state that can be seen without any right to its settings. */
export type SeenTopic = Pick<TopicState, 'partitions' | 'replicationFactor'>;

/** Of topics that there are. An answer that leaves one of them out, or tells of one without partitions, is none, and may be another when it is asked for again. */
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

/** Pure: what is wrong with those of these topics that are named, if anything is, as it is thrown. */
export function topicFault(
  catalogue: readonly TopicSpec[],
  names: readonly string[],
  seen: ReadonlyMap<string, SeenTopic>,
): PipelineError | undefined {
  const problems = catalogue
    .filter(({ name }) => names.includes(name))
    .flatMap(({ name, partitions }) => {
      const found = seen.get(name);
      if (!found) return [`${name} is missing`];
      if (found.partitions === partitions) return [];
      return [`${name} has ${instead(found.partitions, 'partition', partitions)}`];
    });
  if (problems.length === 0) return undefined;
  const refused = refusedByApply(catalogue, seen);
  if (refused.length === 0)
    return new PipelineError('KAFKA_TOPIC_MISSING', 'fatal', `run \`topics apply\`: ${problems.join('; ')}`);
  const why = `\`topics apply\` changes nothing as long as ${refused.join(', and ')}`;
  return new PipelineError('KAFKA_TOPIC_CONFLICT', 'fatal', `${problems.join('; ')}; ${why}`);
}

/** Of all topics: with one that it cannot change, `topics apply` changes none. */
function refusedByApply(
  catalogue: readonly TopicSpec[],
  seen: ReadonlyMap<string, SeenTopic>,
): readonly string[] {
  const unknown = { config: new Map<string, string>(), overrides: new Map<string, string>() };
  const states = new Map([...seen].map(([name, topic]) => [name, { ...topic, ...unknown }]));
  return planFrom(catalogue, states).actions.flatMap((action) =>
    action.kind === 'problem' ? [`${action.topic} ${action.message}`] : [],
  );
}
