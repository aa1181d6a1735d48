import type { TopicSpec } from '@email-events/schemas';
import type { Admin } from 'kafkajs';
import { PipelineError } from '../errors.ts';
import { type KafkaSettings, withAdmin } from './admin.ts';
import { reaching } from './errors.ts';
import { instead, planFrom, type SeenTopic, seenTopics } from './topics-admin.ts';

/**
 * Makes sure, before a service touches anything, that its topics are there with as many partitions as configured:
 * a recipient's partition is a number that all topics must mean alike. Needs no right but to describe topics.
 * Throws KAFKA_TOPIC_MISSING, or KAFKA_TOPIC_CONFLICT where `topics apply` would refuse; both name all that are wrong. And
 * KAFKA_UNREACHABLE, also for an answer that is none (see seenTopics): whoever starts asks again (see whenThere).
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
