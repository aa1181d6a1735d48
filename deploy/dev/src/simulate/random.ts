import type { Random } from '@email-events/esps/accounts/kit/speech';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

export function createRandom(seed: number): Random {
  const generator = xoroshiro128plus(mix(seed));
  // Seeds that differ in few bits give similar first values: those are not used.
  for (let i = 0; i < WARM_UP; i++) uniformInt(generator, 0, 1);
  const int = (from: number, to: number) => uniformInt(generator, from, to);
  const fraction = () => int(0, 0x7fff_ffff) / 0x8000_0000;
  const hex = (length: number) => {
    let digits = '';
    while (digits.length < length) digits += int(0, 0xfff_ffff).toString(16).padStart(7, '0');
    return digits.slice(0, length);
  };
  return {
    int,
    hex,
    chance: (probability) => fraction() < probability,
    pick: (values) => at(values, int(0, values.length - 1)),
    weighted: (values, weight) => {
      let left = fraction() * values.reduce((sum, value) => sum + weight(value), 0);
      for (const value of values) {
        left -= weight(value);
        if (left < 0) return value;
      }
      return at(values, values.length - 1);
    },
    uuid: () => uuidOf(hex(32)),
    fork: (salt) => createRandom(Math.imul(seed + 1, 0x9e37_79b1) ^ salt),
  };
}

const WARM_UP = 20;

/** Spreads every bit of a 32-bit integer over all of them (the last step of MurmurHash3). */
function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35);
  return h ^ (h >>> 16);
}

function uuidOf(digits: string): string {
  const parts = [
    digits.slice(0, 8),
    digits.slice(8, 12),
    `4${digits.slice(13, 16)}`,
    `a${digits.slice(17, 20)}`,
  ];
  return [...parts, digits.slice(20)].join('-');
}

function at<T>(values: readonly T[], index: number): T {
  const value = values[index];
  if (value === undefined) throw new RangeError('nothing to choose from');
  return value;
}
