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
 * What the view ab_comparison says of a variant against the others together, by the same formula: migration 0011 explains it, and a stack
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
