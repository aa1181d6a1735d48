import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shareLanes } from './lane-assigner.ts';

const lanes = ['l0', 'l1', 'l2', 'l3', 'l4', 'l5', 'l6'];
const member = (id: string, ...owned: string[]) => ({ id, owned });

test('every lane has one owner and the shares differ by one at most', () => {
  const members = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 10 });
  const owned = fc.array(fc.subarray([...lanes, 'gone']), { minLength: 10, maxLength: 10 });
  fc.assert(
    fc.property(members, owned, (ids, claims) => {
      const owners = shareLanes(
        lanes,
        ids.map((id, n) => member(id, ...(claims[n] ?? []))),
      );
      expect([...owners.keys()].sort()).toEqual(lanes);
      const counts = ids.map((id) => [...owners.values()].filter((owner) => owner === id).length);
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    }),
  );
});

test('members keep what they have when another one comes', () => {
  const owners = shareLanes(lanes, [
    member('a', 'l0', 'l2', 'l4', 'l6'),
    member('b', 'l1', 'l3', 'l5'),
    member('c'),
  ]);
  const kept = (id: string) => [...owners].filter(([, owner]) => owner === id).map(([lane]) => lane);
  expect(kept('a')).toEqual(['l0', 'l2', 'l4']);
  expect(kept('b')).toEqual(['l1', 'l3']);
  expect(kept('c')).toEqual(['l5', 'l6']);
});

test('members keep what they have when another one goes', () => {
  const owners = shareLanes(lanes, [member('a', 'l0', 'l2'), member('b', 'l1', 'l3')]);
  for (const [lane, id] of [
    ['l0', 'a'],
    ['l2', 'a'],
    ['l1', 'b'],
    ['l3', 'b'],
  ] as const) {
    expect(owners.get(lane)).toBe(id);
  }
});

test('a lane that two members claim goes to one of them', () => {
  const owners = shareLanes(['x'], [member('b', 'x'), member('a', 'x')]);
  expect(owners).toEqual(new Map([['x', 'a']]));
});
