/** Recipients of a variant that a message was delivered to, and how many of them reacted. */
export interface Counts {
  readonly delivered: number;
  readonly reacted: number;
}

/** Of two variants, the first less the second. Null where nothing can be compared: no delivery, or more who reacted. */
export interface Difference {
  readonly difference: number | null;
  /** All intervals of a test hold together, at all readings, with a certainty of 1 - ALPHA. */
  readonly low: number | null;
  readonly high: number | null;
  /** Alone: valid at all readings, but not yet for several comparisons. */
  readonly pValue: number | null;
}

/** Chance of a false winner in a test without a difference, over all readings and all its variants. As in the view ab_comparison. */
export const ALPHA = 0.05;
const BEST_AT = 250;
const RHO_SQUARED = (2 * Math.log(1 / ALPHA) + Math.log(2 * Math.log(1 / ALPHA) + 1)) / BEST_AT;

/**
 * The asymptotic confidence sequence by which the view compares: migration 0011 has the formula and where it is from. `comparisons`: of the
 * test, over which the interval shares ALPHA.
 */
export function compare(one: Counts, other: Counts, comparisons = 1): Difference {
  const nothing = { difference: null, low: null, high: null, pValue: null };
  if (![one, other].every(({ delivered, reacted }) => delivered > 0 && reacted <= delivered)) return nothing;
  const difference = rateOf(one) - rateOf(other);
  const variance = varianceOf(one) + varianceOf(other);
  const k = 1 / (1 / one.delivered + 1 / other.delivered);
  const u = RHO_SQUARED * k * k * variance;
  const radius = Math.sqrt(variance * (1 + 1 / u) * 2 * Math.log((Math.sqrt(1 + u) * comparisons) / ALPHA));
  const pValue = Math.sqrt(1 + u) * Math.exp((-(difference ** 2 / variance) * u) / (1 + u) / 2);
  return {
    difference,
    low: Math.max(-1, difference - radius),
    high: Math.min(1, difference + radius),
    pValue: Math.min(1, pValue),
  };
}

export const rateOf = ({ delivered, reacted }: Counts): number => reacted / delivered;

/** One reaction and one silence more, so that it is never 0. */
function varianceOf({ delivered, reacted }: Counts): number {
  const share = (reacted + 1) / (delivered + 2);
  return (share * (1 - share)) / delivered;
}

/**
 * Holm's correction for several comparisons: each value below ALPHA afterwards is a difference, and the chance that any of those is none is ALPHA at
 * most. Values that hold at all readings do so afterwards. A null counts as a comparison, and stays.
 */
export function holm(values: readonly (number | null)[]): (number | null)[] {
  const ranked = values
    .map((value, index) => ({ value: value ?? 1, index }))
    .sort((a, b) => a.value - b.value);
  const adjusted: (number | null)[] = values.map(() => null);
  let least = 0;
  for (const [rank, { value, index }] of ranked.entries()) {
    least = Math.max(least, Math.min(1, value * (values.length - rank)));
    adjusted[index] = values[index] === null ? null : least;
  }
  return adjusted;
}
