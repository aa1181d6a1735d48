import { type TopicSpec, topics } from '@email-events/schemas';
import { PipelineError } from '../../errors.ts';
import { counted, formatCount } from '../../wording.ts';

// Pure: what is to be done about topics, and what is wrong with them, from what the cluster says of them.

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

/** The part of a topic's state that can be seen without any right to its settings. */
export type SeenTopic = Pick<TopicState, 'partitions' | 'replicationFactor'>;

/** The actions that lead from these states (topics that do not exist are absent) to the catalogue. */
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
    problem(
      `has ${partitionsInstead}; more would move recipients to other partitions than their history: keep topics.partitions as it is`,
    );
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
