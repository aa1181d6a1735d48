import { expect, it } from 'vitest';
import { headerPairs } from './fields.ts';

it.each<[string, unknown, [string, string][]]>([
  [
    'a list of names and values',
    [
      { name: 'X-A', value: 'a' },
      { name: 'X-B', value: 7 },
    ],
    [
      ['X-A', 'a'],
      ['X-B', '7'],
    ],
  ],
  [
    'a list of pairs',
    [
      ['X-A', 'a'],
      ['X-A', 'b'],
    ],
    [
      ['X-A', 'a'],
      ['X-A', 'b'],
    ],
  ],
  [
    'an object',
    { 'X-A': 'a', 'X-B': ['b', 'c'] },
    [
      ['X-A', 'a'],
      ['X-B', 'b'],
      ['X-B', 'c'],
    ],
  ],
  ['what is none', 'X-A: a', []],
  ['nothing', undefined, []],
  ['odd entries', [null, 'x', { name: 1, value: 'a' }, { name: 'X-A' }, { name: 'X-B', value: {} }, []], []],
])('%s', (_what, value, pairs) => {
  expect([...headerPairs(value)]).toEqual(pairs);
});
