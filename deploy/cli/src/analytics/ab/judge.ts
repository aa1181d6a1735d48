import { ALPHA, type Counts, compare, type Difference, holm, rateOf } from './compare.ts';
import { SPLIT_ALPHA, splitPValue } from './split.ts';

/** A campaign at one source, as far as it is known. Recipients, each once a variant; machines are left out of those who reacted. */
export interface Test {
  readonly campaign: string;
  readonly source: string;
  readonly variants: readonly Variant[];
  /** Recipients who got several variants. */
  readonly several: number;
  /** Of all opens, and of all clicks, the share of which nobody knows whether a machine did it; null if there are none. */
  readonly unjudged: { readonly [measure in Measure]: number | null };
}

export interface Variant {
  readonly variant: string;
  readonly sent: number;
  readonly delivered: number;
  readonly opened: number;
  readonly clicked: number;
  /** Was meant to be sent, and no event names it. It counts for the split alone. */
  readonly isAbsent?: true;
}

export const MEASURES = ['clicked', 'opened'] as const;
export type Measure = (typeof MEASURES)[number];

/** `wins`: better than every other variant. `ahead`: that is not sure. `even`: nobody is ahead. `none`: nothing to compare. */
export type State = 'wins' | 'ahead' | 'even' | 'none';

export interface Judgement {
  readonly measure: Measure;
  readonly state: State;
  /** Who has the highest rate; null if several have. */
  readonly leader: string | null;
  /** Variants that another one is better than for sure. */
  readonly beaten: readonly string[];
  /** `ahead`: by how many recipients of each variant it would be decided, against every other, if the rates stayed as they are; null if that is far away. */
  readonly recipientsLeft: number | null;
  readonly pairs: readonly Pair[];
}

/** Of two variants; `pValue` is for all comparisons of the measure together. */
export interface Pair extends Difference {
  readonly one: string;
  readonly other: string;
}

export interface Judged extends Test {
  readonly split: {
    readonly pValue: number;
    readonly isBroken: boolean;
    /** Meant, by variant. */
    readonly shares: readonly number[];
  };
  readonly judgements: readonly Judgement[];
}

/** More than a hundredth of the recipients in several variants blurs every difference. */
const MOST_IN_SEVERAL = 0.01;

/** `shares`: meant, by variant; equal ones unless they are given. */
export function judge(test: Test, shares: readonly number[] = equalShares(test)): Judged {
  const sent = test.variants.map((variant) => variant.sent);
  const total = sent.reduce((sum, count) => sum + count, 0);
  const pValue = splitPValue(sent, shares);
  const isBroken = pValue < SPLIT_ALPHA || test.several > total * MOST_IN_SEVERAL;
  const present = test.variants.filter(({ isAbsent }) => !isAbsent);
  const judgements = MEASURES.map((measure) => judgeMeasure(present, measure));
  return { ...test, split: { pValue, isBroken, shares }, judgements };
}

const equalShares = ({ variants }: Test) => variants.map(() => 1 / variants.length);

export const countsOf = (variant: Variant, measure: Measure): Counts => ({
  delivered: variant.delivered,
  reacted: variant[measure],
});

function judgeMeasure(variants: readonly Variant[], measure: Measure): Judgement {
  const pairs = pairsOf(variants, measure);
  const nothing = { measure, leader: null, beaten: [], recipientsLeft: null, pairs };
  if (pairs.length === 0 || pairs.some(({ difference }) => difference === null))
    return { ...nothing, state: 'none' };
  const ranked = variants
    .map((variant) => ({ variant, rate: rateOf(countsOf(variant, measure)) }))
    .sort((a, b) => b.rate - a.rate);
  const [first, second] = ranked;
  const beaten = [...new Set(pairs.flatMap(loserOf))].sort();
  if (!first || !second || first.rate === second.rate) return { ...nothing, beaten, state: 'even' };
  const leader = first.variant.variant;
  const undecided = pairs
    .filter((pair) => [pair.one, pair.other].includes(leader) && loserOf(pair).length === 0)
    .map((pair) => variants.filter(({ variant }) => [pair.one, pair.other].includes(variant)));
  if (undecided.length === 0) return { measure, state: 'wins', leader, beaten, recipientsLeft: null, pairs };
  const left = undecided.map((rivals) =>
    recipientsUntil(
      rivals.map((variant) => countsOf(variant, measure)),
      pairs.length,
    ),
  );
  const recipientsLeft = left.reduce((most, one) =>
    most === null || one === null ? null : Math.max(most, one),
  );
  return { measure, state: 'ahead', leader, beaten, recipientsLeft, pairs };
}

/** Each variant with each, those by name. */
function pairsOf(variants: readonly Variant[], measure: Measure): Pair[] {
  const count = (variants.length * (variants.length - 1)) / 2;
  const pairs = variants.flatMap((one, at) =>
    variants.slice(at + 1).map((other) => ({
      ...{ one: one.variant, other: other.variant },
      ...compare(countsOf(one, measure), countsOf(other, measure), count),
    })),
  );
  const adjusted = holm(pairs.map(({ pValue }) => pValue));
  return pairs.map((pair, at) => ({ ...pair, pValue: adjusted[at] ?? null }));
}

function loserOf({ one, other, difference, pValue }: Pair): string[] {
  if (pValue === null || difference === null || pValue >= ALPHA) return [];
  return [difference > 0 ? other : one];
}

const FARTHEST = 1_000;

/** More of each, in the same shares, by halving the interval of the factor. */
function recipientsUntil(rivals: readonly Counts[], comparisons: number): number | null {
  const decides = (factor: number) => {
    const [one, other] = rivals.map(({ delivered, reacted }) => ({
      delivered: delivered * factor,
      reacted: reacted * factor,
    }));
    return one && other ? (compare(one, other).pValue ?? 1) * comparisons < ALPHA : false;
  };
  if (!decides(FARTHEST)) return null;
  let [low, high] = [1, FARTHEST];
  while (high / low > 1.01) {
    const middle = Math.sqrt(low * high);
    if (decides(middle)) high = middle;
    else low = middle;
  }
  const smaller = Math.min(...rivals.map(({ delivered }) => delivered));
  return Math.ceil((high - 1) * smaller);
}
