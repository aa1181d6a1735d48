import { setTimeout as pause } from 'node:timers/promises';
import { PipelineError } from '../../errors.ts';
import { keyOf, type TopicPartition } from '../wire/ask-leaders.ts';
import type { Brokers } from '../wire/brokers.ts';
import { AnswerIncomplete, mayPass } from '../wire/faults.ts';
import { type LogBounds, logBounds } from '../wire/offsets.ts';

/**
 * A broker that took over, or one that was frozen and does not know yet that it leads no more, may for a while end before what others
 * have acknowledged. Only what is still so after this long is a loss. Milliseconds.
 */
const CERTAIN_MS = 10_000;
const PAUSE_MS = 250;

/**
 * Where to go on after a broker said that this offset is out of range: the first offset that there is, if records were removed before
 * they were read; undefined if the offset is there after all. Throws KAFKA_LOG_TRUNCATED (fatal) if the partition really ends before it.
 */
export async function afterGap(
  brokers: Brokers,
  at: TopicPartition,
  offset: number,
): Promise<number | undefined> {
  const { low } = await boundsReaching(brokers, at, offset);
  return low > offset ? low : undefined;
}

/** Throws KAFKA_LOG_TRUNCATED (fatal) if the partition ends before this offset, which was read or committed already. */
export async function requireReaches(brokers: Brokers, at: TopicPartition, offset: number): Promise<void> {
  await boundsReaching(brokers, at, offset);
}

async function boundsReaching(brokers: Brokers, at: TopicPartition, offset: number): Promise<LogBounds> {
  let last: unknown;
  for (const deadline = performance.now() + CERTAIN_MS; ; ) {
    try {
      await brokers.refresh([at.topic]);
      const bounds = (await logBounds(brokers, [at], 'uncommitted', { forMs: CERTAIN_MS })).get(keyOf(at));
      if (!bounds) throw new AnswerIncomplete(keyOf(at));
      if (bounds.high >= offset) return bounds;
      last = truncated(at, offset);
    } catch (error) {
      if (!mayPass(error)) throw error;
      // Nobody says anything: that is no proof of a loss.
      last = error;
    }
    if (performance.now() > deadline) throw last;
    await pause(PAUSE_MS);
  }
}

const truncated = ({ topic, partition }: TopicPartition, offset: number) =>
  new PipelineError(
    'KAFKA_LOG_TRUNCATED',
    'fatal',
    `${topic}/${partition} ends before offset ${offset}, which was read or committed already`,
  );
