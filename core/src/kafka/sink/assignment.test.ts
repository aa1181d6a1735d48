import type { Batch } from 'kafkajs';
import { expect, test } from 'vitest';
import { silentLog } from '../admin.ts';
import { Assignment } from './assignment.ts';
import type { LaneContext } from './batch-lane.ts';
import type { LogBounds } from './offsets.ts';

const AT = { topic: 'in', partition: 0 };

function assigned(committed: number, bounds: LogBounds) {
  return new Assignment<string>(
    {
      group: 'group',
      laneOf: () => 'lane',
      limits: { batchRows: 10, batchBytes: 1_000, flushMs: 10 },
      context: { log: silentLog, now: () => 0 } as LaneContext<string>,
      newNonce: () => 'nonce',
      log: silentLog,
    },
    [{ ...AT, offset: committed, metadata: null }],
    () => bounds,
  );
}

const fetchedFrom = (fetchedOffset: number) =>
  ({ ...AT, fetchedOffset: String(fetchedOffset) }) as unknown as Batch;
const reading = (low: number, high: number) => async () => ({ low, high });

test('what was committed must be there', () => {
  expect(() => assigned(5, { low: 0, high: 5 })).not.toThrow();
  expect(() => assigned(5, { low: 0, high: 4 })).toThrow('ends before offset 5');
});

test('a fetch that goes on where the lane is is taken', async () => {
  const assignment = assigned(5, { low: 0, high: 9 });
  expect(await assignment.offsetToSeek(fetchedFrom(5), reading(0, 9))).toBeUndefined();
});

test.each([3, 8])(
  'a fetch from offset %i, of before the group was joined, is done again',
  async (fetched) => {
    const assignment = assigned(5, { low: 0, high: 9 });
    expect(await assignment.offsetToSeek(fetchedFrom(fetched), reading(0, 9))).toBe(5);
  },
);

test('so is one that comes late; only a partition that ends before what was read has lost records', async () => {
  const assignment = assigned(5, { low: 0, high: 9 });
  await assignment.offsetToSeek(fetchedFrom(5), reading(0, 9));
  expect(await assignment.offsetToSeek(fetchedFrom(3), reading(0, 9))).toBe(5);
  await expect(assignment.offsetToSeek(fetchedFrom(3), reading(0, 4))).rejects.toMatchObject({
    ...{ code: 'KAFKA_LOG_TRUNCATED', disposition: 'fatal' },
  });
});

test('where retention was faster than the reader, it goes on with what there is', async () => {
  const assignment = assigned(5, { low: 7, high: 9 });
  expect(await assignment.offsetToSeek(fetchedFrom(7), reading(7, 9))).toBeUndefined();
});
