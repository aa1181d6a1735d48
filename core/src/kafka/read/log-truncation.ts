import { codeOf, PipelineError } from '../../errors.ts';
import { retry } from '../../retry.ts';
import type { Brokers } from '../client/brokers.ts';
import { keyOf, type LogBounds, logBounds, type TopicPartition } from '../client/offsets.ts';
import { AnswerIncomplete, isRetriable } from '../errors.ts';

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

function boundsReaching(brokers: Brokers, at: TopicPartition, offset: number): Promise<LogBounds> {
  return retry(
    async () => {
      await brokers.refresh([at.topic]);
      const bounds = (await logBounds(brokers, [at], 'uncommitted', { forMs: CERTAIN_MS })).get(keyOf(at));
      if (!bounds) throw new AnswerIncomplete(keyOf(at));
      if (bounds.high < offset) throw truncated(at, offset);
      return bounds;
    },
    {
      // The last attempt is made when it is certain.
      forMs: CERTAIN_MS + PAUSE_MS,
      backoff: { firstMs: PAUSE_MS, longestMs: PAUSE_MS },
      // That no broker answers is no proof of a loss.
      retryIf: (error) => isRetriable(error) || codeOf(error) === 'KAFKA_LOG_TRUNCATED',
    },
  );
}

const truncated = ({ topic, partition }: TopicPartition, offset: number) =>
  new PipelineError(
    'KAFKA_LOG_TRUNCATED',
    'fatal',
    `${topic}/${partition} ends before offset ${offset}, which was read or committed already`,
  );
