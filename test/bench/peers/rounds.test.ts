import { expect, test } from 'vitest';
import { inTurn, median, ratioOf, spreadOf } from './rounds.ts';

test('the median is the middle one, or between the two in the middle', () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([9, 1, 5, 7])).toBe(6);
  expect(median([])).toBeNaN();
  expect(spreadOf([3, 1, 2])).toEqual({ median: 2, least: 1, most: 3 });
});

test('a ratio is taken round by round', () => {
  // The second round was slow for both: each is twice as fast as the other one in every round.
  expect(ratioOf([20, 2, 24], [10, 1, 12])).toEqual({ median: 2, least: 2, most: 2 });
});

test('each side is once at each place', () => {
  const sides = ['a', 'b', 'c'];
  const rounds = [0, 1, 2].map((round) => inTurn(sides, round));
  for (const place of [0, 1, 2]) expect(rounds.map((order) => order[place]).sort()).toEqual(sides);
});
