import type { Random } from '@email-events/dev/simulate';

/** Recipients that a message was delivered to, and how many of them opened, or clicked. */
export interface Counts {
  readonly delivered: number;
  readonly reacted: number;
}

export interface Comparison {
  /** Of the rates, this side less the others. */
  readonly difference: number | null;
  readonly low: number | null;
  readonly high: number | null;
  readonly pValue: number | null;
  readonly verdict: 'better' | 'worse' | 'undecided';
}

const ALPHA = 0.05;
const BEST_AT = 250;
const RHO_SQUARED = (2 * Math.log(1 / ALPHA) + Math.log(2 * Math.log(1 / ALPHA) + 1)) / BEST_AT;
const SILENT = { difference: null, low: null, high: null, pValue: null, verdict: 'undecided' } as const;

/**
 * Compares a variant with the others together, by the formula of the view ab_comparison: migration 0011 explains it, and a stack
 * test holds the view to this. `comparisons`: how many are made in the campaign.
 */
export function compareRates(side: Counts, others: Counts, comparisons = 1): Comparison {
  if (side.delivered === 0 || others.delivered === 0) return SILENT;
  const difference = rateOf(side) - rateOf(others);
  if (side.reacted > side.delivered || others.reacted > others.delivered) return { ...SILENT, difference };
  const variance = varianceOf(side) + varianceOf(others);
  const k = 1 / (1 / side.delivered + 1 / others.delivered);
  const u = RHO_SQUARED * k * k * variance;
  const radius = Math.sqrt(variance * (1 + 1 / u) * 2 * Math.log((Math.sqrt(1 + u) * comparisons) / ALPHA));
  const p = comparisons * Math.sqrt(1 + u) * Math.exp((-(difference ** 2 / variance) * u) / (1 + u) / 2);
  const [low, high] = [Math.max(-1, difference - radius), Math.min(1, difference + radius)];
  return { difference, low, high, pValue: Math.min(1, p), verdict: verdictOf(low, high) };
}

/** Every variant of a campaign against the others together. */
export function compareVariants(variants: readonly Counts[]): Comparison[] {
  const comparisons = variants.length === 2 ? 1 : variants.length;
  const sum = (of: keyof Counts) => variants.reduce((total, variant) => total + variant[of], 0);
  const all = { delivered: sum('delivered'), reacted: sum('reacted') };
  return variants.map((side) => {
    const others = { delivered: all.delivered - side.delivered, reacted: all.reacted - side.reacted };
    return compareRates(side, others, comparisons);
  });
}

const rateOf = ({ delivered, reacted }: Counts) => reacted / delivered;

function varianceOf({ delivered, reacted }: Counts): number {
  const share = (reacted + 1) / (delivered + 2);
  return (share * (1 - share)) / delivered;
}

function verdictOf(low: number, high: number): Comparison['verdict'] {
  if (low > 0) return 'better';
  return high < 0 ? 'worse' : 'undecided';
}

/** An A/B test as its sender watches it: at each look, in order, the counts of all variants up to then. */
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
 * more have by the same factor, as when the sender looks after a minute, two minutes, four.
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
