import { describe, expect, test } from 'vitest';
import { createRandom } from './random.ts';

describe('createRandom', () => {
  test('the same seed gives the same values', () => {
    const values = (seed: number) => {
      const random = createRandom(seed);
      return [random.int(1, 1_000_000), random.hex(16), random.uuid()];
    };
    expect(values(7)).toEqual(values(7));
    expect(values(7)).not.toEqual(values(8));
  });

  test.each([
    ['neighbouring seeds', (i: number) => createRandom(i)],
    ['neighbouring forks', (i: number) => createRandom(1).fork(i)],
  ])('first choices of %s are spread as if one generator had made them', (_what, make) => {
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 5_000; i++) {
      const slot = make(i).int(0, 9);
      counts[slot] = (counts[slot] ?? 0) + 1;
    }
    // Expected 500 each with a standard deviation of 21: these bounds are more than five of them away.
    expect(Math.min(...counts)).toBeGreaterThan(390);
    expect(Math.max(...counts)).toBeLessThan(610);
  });
});
