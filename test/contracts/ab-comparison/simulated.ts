import type { Random } from '@email-events/dev/simulate';
import type { Counts } from './interval.ts';

/** An A/B test as somebody watches it: at each look, in order, the counts of all variants up to then. */
export type Watched = readonly (readonly Counts[])[];

export interface Setup {
  /** By variant: how many get it, and which share of them reacts in the end. */
  readonly sizes: readonly number[];
  readonly rates: readonly number[];
  readonly looks: number;
}

/** Mail goes out in as many equal lots as there are looks; who reacts does so before the next one. */
export function sentInLots(random: Random, { sizes, rates, looks }: Setup): Watched {
  const counts = sizes.map(() => ({ delivered: 0, reacted: 0 }));
  return numbers(looks).map((look) =>
    counts.map((count, variant) => {
      const delivered = Math.round(((sizes[variant] ?? 0) * look) / looks);
      count.reacted += binomial(random, delivered - count.delivered, rates[variant] ?? 0);
      count.delivered = delivered;
      return { ...count };
    }),
  );
}

/**
 * All mail is out at the first look, and people react over time: a thousandth of those who will has at first, and with each look
 * more have by the same factor, as when somebody looks after a minute, two minutes, four.
 */
export function sentAtOnce(random: Random, { sizes, rates, looks }: Setup): Watched {
  const reacted = sizes.map(() => 0);
  let before = 0;
  return numbers(looks).map((look) => {
    const share = 0.001 ** (1 - look / looks);
    for (const [variant, delivered] of sizes.entries()) {
      const rate = rates[variant] ?? 0;
      const silent = delivered - (reacted[variant] ?? 0);
      const chance = (rate * (share - before)) / (1 - rate * before);
      reacted[variant] = (reacted[variant] ?? 0) + binomial(random, silent, chance);
    }
    before = share;
    return sizes.map((delivered, variant) => ({ delivered, reacted: reacted[variant] ?? 0 }));
  });
}

/** How many of `tries` succeed: goes from one success to the next, so it takes as long as there are successes. */
function binomial(random: Random, tries: number, chance: number): number {
  if (chance <= 0) return 0;
  let successes = 0;
  for (let at = gap(random, chance); at < tries; at += 1 + gap(random, chance)) successes++;
  return successes;
}

/** Failures before the next success. */
const gap = (random: Random, chance: number) =>
  Math.floor(Math.log(random.int(1, 0x7fff_ffff) / 0x8000_0000) / Math.log1p(-chance));

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n + 1);
