import { describe, expect, test } from 'vitest';
import { compare, holm } from './compare.ts';
import { judge, type Test, type Variant } from './judge.ts';
import { SPLIT_ALPHA, splitPValue } from './split.ts';

const RUNS = 400;
const LOOKS = 40;

/** Numbers below 1, the same in each run: mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

type Draw = (random: () => number) => { readonly variant: number; readonly reacts: boolean };

/** Recipients one after the other; `each` sees the counts at LOOKS readings. Returns whether any reading was said yes to. */
function isSeen(
  draw: Draw,
  random: () => number,
  size: number,
  variants: number,
  each: (t: Test) => boolean,
) {
  const counts = Array.from({ length: variants }, () => ({ sent: 0, clicked: 0 }));
  let seen = false;
  for (let n = 1; n <= size; n++) {
    const { variant, reacts } = draw(random);
    const count = counts[variant];
    if (count) {
      count.sent++;
      if (reacts) count.clicked++;
    }
    if (n % Math.ceil(size / LOOKS) === 0 || n === size) seen ||= each(testOf(counts));
  }
  return seen;
}

const testOf = (
  counts: readonly { sent: number; clicked: number; opened?: number }[],
  several = 0,
): Test => ({
  ...{ campaign: 'c', source: 's', several, unjudged: { clicked: null, opened: null } },
  variants: counts.map(
    ({ sent, clicked, opened = 0 }, at): Variant => ({
      ...{ variant: 'ABCD'.charAt(at), sent, delivered: sent, clicked, opened },
    }),
  ),
});

/** In which share of simulated tests something is seen at one reading at least. */
function share(variants: number, size: number, draw: Draw, each: (t: Test) => boolean): number {
  const random = randomFrom(7);
  let found = 0;
  for (let run = 0; run < RUNS; run++) if (isSeen(draw, random, size, variants, each)) found++;
  return found / RUNS;
}

const drawn =
  (rates: readonly number[]): Draw =>
  (random) => {
    const variant = Math.floor(random() * rates.length);
    return { variant, reacts: random() < (rates[variant] ?? 0) };
  };
const clicks = (test: Test) => judge(test).judgements.find(({ measure }) => measure === 'clicked');
const wins = (name?: string) => (test: Test) => {
  const found = clicks(test);
  return found?.state === 'wins' && (name === undefined || found.leader === name);
};

describe('simulated tests that are read forty times', () => {
  test('without a difference name a winner in 5 % at most', () => {
    expect(share(2, 4_000, drawn([0.2, 0.2]), wins())).toBeLessThanOrEqual(0.05);
    expect(share(2, 4_000, drawn([0.03, 0.03]), wins())).toBeLessThanOrEqual(0.05);
  });

  test('of four variants say of any that it is beaten in 5 % at most', () => {
    const beaten = (test: Test) => (clicks(test)?.beaten.length ?? 0) > 0;
    expect(share(4, 4_000, drawn([0.2, 0.2, 0.2, 0.2]), beaten)).toBeLessThanOrEqual(0.05);
  });

  // The size that the README of sinks/clickhouse names for this rate.
  test('find what is better by a fifth in 80 % at least: 20 % against 24 % of 3,300 each', () => {
    expect(share(2, 6_600, drawn([0.2, 0.24]), wins('B'))).toBeGreaterThanOrEqual(0.8);
  });

  test('call a sound split broken in a thousandth at most, and 44 to 56 of 4,000 for sure', () => {
    const broken = (test: Test) => judge(test).split.isBroken;
    expect(share(2, 4_000, drawn([0, 0]), broken)).toBeLessThanOrEqual(SPLIT_ALPHA * 4);
    const uneven: Draw = (random) => ({ variant: random() < 0.44 ? 0 : 1, reacts: false });
    expect(share(2, 4_000, uneven, broken)).toBeGreaterThanOrEqual(0.99);
  });
});

describe('by hand', () => {
  test('the difference of two rates', () => {
    // The figures of test/contracts/ab-comparison, which is about the view.
    const { difference, low, high, pValue } = compare(
      { delivered: 100, reacted: 30 },
      { delivered: 90, reacted: 60 },
    );
    expect(difference).toBeCloseTo(-0.366667, 6);
    expect(low).toBeCloseTo(-0.70865, 4);
    expect(high).toBeCloseTo(-0.02469, 4);
    expect(pValue).toBeCloseTo(0.03124, 4);
  });

  test('Holm: the least times three, the next times two, never less than one before it', () => {
    const adjusted = holm([0.03, 0.01, 0.04, null]);
    expect(adjusted.map((value) => value && Number(value.toFixed(6)))).toEqual([0.09, 0.04, 0.09, null]);
    expect(holm([0.6, 0.9])).toEqual([1, 1]);
  });

  test('the split: two recipients in one of two variants', () => {
    // Marginal chance of two in the first: (100 / 200) * (101 / 201); by the shares that were meant: 1 / 4.
    expect(splitPValue([0, 0], [0.5, 0.5])).toBe(1);
    expect(splitPValue([2, 0], [0.5, 0.5])).toBeCloseTo(0.25 / (0.5 * (101 / 201)), 10);
    expect(splitPValue([8_000, 2_000], [0.8, 0.2])).toBe(1);
    expect(splitPValue([8_000, 2_000], [0.5, 0.5])).toBeLessThan(1e-100);
  });
});

test('what is said of counts', () => {
  const of = (...counts: [sent: number, clicked: number][]) =>
    judge(testOf(counts.map(([sent, clicked]) => ({ sent, clicked })))).judgements[0];
  expect(of([5_000, 1_000], [5_000, 1_300])).toMatchObject({ state: 'wins', leader: 'B', beaten: ['A'] });
  const ahead = of([500, 100], [500, 120]);
  expect(ahead).toMatchObject({ state: 'ahead', leader: 'B', beaten: [] });
  // As the README's table has it, about 3,300 of each are needed.
  expect(ahead?.recipientsLeft).toBeGreaterThan(1_000);
  expect(ahead?.recipientsLeft).toBeLessThan(3_300);
  expect(of([500, 100], [500, 100])).toMatchObject({ state: 'even', leader: null });
  expect(of([500, 100], [0, 0])).toMatchObject({ state: 'none', leader: null });
  expect(of([500, 100], [500, 501])).toMatchObject({ state: 'none' });
  expect(of([5_000, 500], [5_000, 1_300], [5_000, 1_310])).toMatchObject({
    ...{ state: 'ahead', leader: 'C', beaten: ['A'] },
  });
  // B is beaten, and C, of whom little is known, decides how long it takes.
  const rare = of([5_000, 1_300], [5_000, 1_000], [200, 38]);
  expect(rare).toMatchObject({ state: 'ahead', leader: 'A', beaten: ['B'] });
  expect(rare?.recipientsLeft).toBeGreaterThan(200);
  // Against C it is far away, however near it is against B.
  expect(of([500, 120], [500, 100], [500, 119])).toMatchObject({ state: 'ahead', recipientsLeft: null });
  expect(
    judge(
      testOf(
        [
          { sent: 500, clicked: 1 },
          { sent: 500, clicked: 2 },
        ],
        11,
      ),
    ).split.isBroken,
  ).toBe(true);
});
