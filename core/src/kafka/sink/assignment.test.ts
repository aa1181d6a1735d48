import fc from 'fast-check';
import { expect, test } from 'vitest';
import { silentLog } from '../client/client.ts';
import { Assignment, shareLanes } from './assignment.ts';
import { encodeIntent } from './batch.ts';
import { Entry } from './entry.ts';
import type { LaneContext } from './lane-context.ts';

const AT = { topic: 'in', partition: 0 };

function assigned(offset: number | null, low: number, metadata: string | null = null) {
  return new Assignment<string>(
    {
      group: 'group',
      laneOf: () => 'lane',
      limits: { batchRows: 10, batchBytes: 1_000, flushMs: 10 },
      everyMs: () => 0,
      aheadMs: 0,
      context: { log: silentLog, now: () => 0, sink: {} } as LaneContext<string>,
      newNonce: () => 'nonce',
      log: silentLog,
    },
    [{ committed: { ...AT, offset, metadata }, bounds: { low, high: 99 } }],
  );
}

const fetched = (from: number, next: number) => ({ ...AT, records: [], from, next, end: next });

test('reading begins where was committed', () => {
  expect(assigned(5, 0).positions()).toEqual([{ ...AT, position: 5 }]);
});

test('a partition without a committed offset begins at its first record', () => {
  expect(assigned(null, 3).positions()).toEqual([{ ...AT, position: 3 }]);
});

test('where retention was faster than the reader, it goes on with what there is', () => {
  expect(assigned(5, 7).positions()).toEqual([{ ...AT, position: 7 }]);
});

test('an announced batch that lost records to retention is not waited for', () => {
  const lane = assigned(5, 7, encodeIntent('nonce', 7, 1)).lanes.get('lane');
  expect(lane?.buffer.missing()).toEqual([]);
});

test('markers are passed, and so is what was taken', () => {
  const assignment = assigned(5, 0);
  const position = () => assignment.positions()[0]?.position;
  assignment.pass(AT, 8);
  expect(position()).toBe(8);
  assignment.take(fetched(8, 11), []);
  expect(position()).toBe(11);
});

test('nothing that was fetched is dropped in silence', () => {
  const other = { ...fetched(5, 6), partition: 1 };
  expect(() => assigned(5, 0).take(other, [])).toThrow('in/1 was fetched and is not assigned');
});

const WIDE = { batchRows: 1, batchBytes: 1_000, flushMs: 10 };

/** Two partitions of one lane, of which a batch was announced over the second. */
function announcedOverSecond() {
  const at = (partition: number, metadata: string | null) => ({
    committed: { topic: 'in', partition, offset: 0, metadata },
    bounds: { low: 0, high: 99 },
  });
  return new Assignment<string>(
    {
      group: 'group',
      laneOf: () => 'lane',
      limits: WIDE,
      everyMs: () => 0,
      aheadMs: 0,
      context: { log: silentLog, now: () => 0, sink: {} } as LaneContext<string>,
      newNonce: () => 'nonce',
      log: silentLog,
    },
    [at(0, null), at(1, encodeIntent('nonce', 3, 1))],
  );
}

test('a lane that has enough goes on reading what its announced batch lacks, or it would wait for itself', () => {
  const assignment = announcedOverSecond();
  expect(assignment.partitionsThatCanWait('lane')).toEqual([{ topic: 'in', partition: 0 }]);
  assignment.take({ topic: 'in', partition: 1, records: [], from: 0, next: 3, end: 3 }, []);
  expect(assignment.partitionsThatCanWait('lane')).toHaveLength(2);
});

test('a lane that has something to write and does not is seen', () => {
  const assignment = announcedOverSecond();
  expect(assignment.states()).toMatchObject([{ waiting: true }]);
  const reader = { load: async () => {}, read: () => 'value' };
  const record = { topic: 'in', partition: 0, offset: 0, key: null, headers: {}, timestamp: 0 };
  const entry = new Entry<string>({ ...record, value: Buffer.from('x') }, reader);
  assignment.take({ topic: 'in', partition: 0, records: [], from: 0, next: 1, end: 1 }, [entry]);
  expect(assignment.states()).toMatchObject([{ topic: 'in', partition: 1, position: 0, waiting: false }]);
});

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
