import type { Assigned } from '../consume/assigners.ts';
import { requireReaches } from '../consume/gap.ts';
import { AnswerIncomplete } from '../errors.ts';
import { keyOf } from '../wire/ask-leaders.ts';
import type { Brokers } from '../wire/brokers.ts';
import { committedOffsets, logBounds } from '../wire/offsets.ts';
import type { StartingPoint } from './assignment.ts';

/**
 * What the group has committed for everything that was assigned, and where the logs begin. In this order: bounds that were read first
 * may lie before what is committed by now, which looks like a loss. All of it, or an error: a partition that an answer leaves out would
 * be read by nobody, without any sign. Throws KAFKA_LOG_TRUNCATED (fatal) where a partition ends before what was committed.
 */
export async function startingPoints(
  brokers: Brokers,
  groupId: string,
  assigned: Assigned,
  signal: AbortSignal,
): Promise<StartingPoint[]> {
  const partitions = Object.entries(assigned).flatMap(([topic, ids]) =>
    ids.map((partition) => ({ topic, partition })),
  );
  await brokers.refresh(Object.keys(assigned));
  const committed = await committedOffsets(brokers, groupId, partitions, { signal });
  const bounds = await logBounds(brokers, partitions, 'uncommitted', { signal });
  const points: StartingPoint[] = [];
  for (const at of partitions) {
    const [of, log] = [committed.get(keyOf(at)), bounds.get(keyOf(at))];
    if (!of || !log) throw new AnswerIncomplete(keyOf(at));
    if (of.offset !== null && of.offset > log.high) await requireReaches(brokers, at, of.offset);
    points.push({ committed: { ...at, ...of }, bounds: log });
  }
  return points;
}
