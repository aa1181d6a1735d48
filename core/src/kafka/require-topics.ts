import type { TopicSpec } from '@email-events/schemas';
import { PipelineError } from '../errors.ts';
import { type KafkaSettings, withAdmin } from './admin.ts';

/**
 * Makes sure, before a service touches anything, that its topics are there with as many partitions as configured:
 * a recipient's partition is a number that all topics must mean alike. Needs no right but to describe topics.
 * Throws KAFKA_TOPIC_MISSING, which names all that are wrong, and KAFKA_UNREACHABLE.
 */
export async function requireTopics(
  settings: KafkaSettings,
  catalogue: readonly TopicSpec[],
  names: readonly string[],
): Promise<void> {
  const wanted = catalogue.filter(({ name }) => names.includes(name));
  const counts = await withAdmin(settings, async (admin) => {
    const existing = new Set(await admin.listTopics());
    const topics = wanted.map(({ name }) => name).filter((name) => existing.has(name));
    if (topics.length === 0) return new Map<string, number>();
    const metadata = await admin.fetchTopicMetadata({ topics });
    return new Map(metadata.topics.map(({ name, partitions }) => [name, partitions.length]));
  });
  const problems = topicProblems(wanted, counts);
  if (problems.length > 0) {
    throw new PipelineError('KAFKA_TOPIC_MISSING', 'fatal', `run \`topics apply\`: ${problems.join('; ')}`);
  }
}

/** Pure: what is wrong with topics of these partition counts. */
export function topicProblems(wanted: readonly TopicSpec[], counts: ReadonlyMap<string, number>): string[] {
  return wanted.flatMap(({ name, partitions }) => {
    const count = counts.get(name);
    if (count === undefined) return [`${name} is missing`];
    return count === partitions ? [] : [`${name} has ${count} partitions, configured are ${partitions}`];
  });
}
