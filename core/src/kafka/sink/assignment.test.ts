import { expect, test } from 'vitest';
import { silentLog } from '../admin.ts';
import { Assignment } from './assignment.ts';
import type { LaneContext } from './batch-lane.ts';
import { encodeIntent } from './intent.ts';

const AT = { topic: 'in', partition: 0 };

function assigned(offset: number | null, low: number, metadata: string | null = null) {
  return new Assignment<string>(
    {
      group: 'group',
      laneOf: () => 'lane',
      limits: { batchRows: 10, batchBytes: 1_000, flushMs: 10 },
      context: { log: silentLog, now: () => 0 } as LaneContext<string>,
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

test('what nobody has committed begins at its first record', () => {
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
