import type { Brokers } from '../client/brokers.ts';

/**
 * When the next batch of a lane may begin. A target that makes a part of each insert, and remembers only a number of them, must not get
 * more than so many a second. Every lane keeps its own share of that number, so that no instance has to know of the others.
 */
export class LanePace {
  /** Epoch milliseconds. */
  notBefore = Number.NEGATIVE_INFINITY;
  private readonly everyMs: number;

  /** Share of a lane: milliseconds a piece. 0: no limit. */
  constructor(everyMs: number) {
    this.everyMs = everyMs;
  }

  /** A batch of so many pieces began. They are written one by one, and the next batch waits until all of them were the lane's due. */
  began(pieces: number, at: number): void {
    this.notBefore = Math.max(this.notBefore, at + pieces * this.everyMs);
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
