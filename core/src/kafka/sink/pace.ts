import type { Brokers } from '../client/brokers.ts';
import type { Assigned } from '../read/assigners.ts';

/**
 * When the next batch of a lane may begin. A target that makes a part of each insert, and remembers only a number of them, must not get
 * more than so many a second. Every lane keeps its own share of that number, so that no instance has to know of the others.
 *
 * Between two batches there is always the time of one piece. The further pieces of a batch may be ahead of their time by `aheadMs`: an
 * account whose events are of many months would otherwise hold up everyone else's on the lane, by the time of a piece for each month.
 */
export class LanePace {
  /** Epoch milliseconds. */
  notBefore = Number.NEGATIVE_INFINITY;
  private readonly everyMs: number;
  private readonly aheadMs: number;
  /** When all pieces that were begun will have been the lane's due. Epoch milliseconds. */
  private dueAt = Number.NEGATIVE_INFINITY;

  /** @param everyMs share of a lane: milliseconds a piece. 0: no limit. */
  constructor(everyMs: number, aheadMs = 0) {
    this.everyMs = everyMs;
    this.aheadMs = aheadMs;
  }

  /** A batch of so many pieces began, which are written one by one. */
  began(pieces: number, at: number): void {
    this.dueAt = Math.max(this.dueAt, at) + pieces * this.everyMs;
    this.notBefore = Math.max(at + this.everyMs, this.dueAt - this.aheadMs);
  }
}

/**
 * Milliseconds a piece, for lanes by their topics. Each partition of the topic that has the most can be a lane: where there are fewer, a
 * lane gets less than it might.
 */
export async function shares(
  brokers: Pick<Brokers, 'partitionsOf'>,
  topics: readonly string[],
  perSecond: number | undefined,
): Promise<(topics: readonly string[]) => number> {
  if (perSecond === undefined) return () => 0;
  const counts = new Map<string, number>();
  for (const topic of topics) counts.set(topic, (await brokers.partitionsOf(topic)).length);
  return (own) => (1_000 * Math.max(1, ...own.map((topic) => counts.get(topic) ?? 1))) / perSecond;
}

/** The share of the topics' partitions that a member has, from 0 to 1. */
export async function shareOf(
  brokers: Pick<Brokers, 'partitionsOf'>,
  topics: readonly string[],
  assigned: Assigned,
): Promise<number> {
  let [own, all] = [0, 0];
  for (const topic of topics) {
    own += assigned[topic]?.length ?? 0;
    all += (await brokers.partitionsOf(topic)).length;
  }
  // More than all: partitions were added, and one of the two was asked before.
  return all === 0 ? 0 : Math.min(1, own / all);
}
