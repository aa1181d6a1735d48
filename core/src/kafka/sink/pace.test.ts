import { expect, test } from 'vitest';
import { laneOf, lettersSink } from '../testing/sink-lane.ts';
import { LanePace, shareOf, shares } from './pace.ts';
import { DELIVERED } from './sink.ts';

const partitions: { [topic: string]: number[] } = { a: [0, 1, 2], b: [0, 1, 2, 3, 4, 5], letters: [0] };
const brokers = { partitionsOf: async (topic: string) => partitions[topic] ?? [] };

test('lanes of the same topics share the number: the topic with the most partitions says how many there may be', async () => {
  const everyMs = await shares(brokers, Object.keys(partitions), 12);
  expect(everyMs(['a', 'b'])).toBe(500);
  expect(everyMs(['a'])).toBe(250);
  expect(everyMs(['letters'])).toBeCloseTo(83.3, 1);
});

test('without a number there is no limit', async () => {
  const everyMs = await shares(brokers, ['a'], undefined);
  expect(everyMs(['a'])).toBe(0);
});

test('a batch takes as many times the share as it has pieces, from when it began', () => {
  const pace = new LanePace(100);
  expect(pace.notBefore).toBeLessThan(0);
  pace.began(3, 1_000);
  expect(pace.notBefore).toBe(1_300);
  pace.began(1, 1_350);
  expect(pace.notBefore).toBe(1_450);
});

test('further pieces are ahead of their time by so much and no more; what is not used comes back', () => {
  const pace = new LanePace(100, 1_000);
  pace.began(8, 0);
  expect(pace.notBefore).toBe(100);
  // Due at 1,600: 600 too early.
  pace.began(8, 100);
  expect(pace.notBefore).toBe(600);
  pace.began(1, 600);
  expect(pace.notBefore).toBe(700);
  pace.began(1, 700);
  expect(pace.notBefore).toBe(800);
  pace.began(2, 800);
  expect(pace.notBefore).toBe(1_000);
  pace.began(8, 60_000);
  expect(pace.notBefore).toBe(60_100);
});

test.each([0, 2_000])(
  'over a long time there are no more pieces than the share, and those ahead: %d ms',
  (aheadMs) => {
    const pace = new LanePace(100, aheadMs);
    let [now, pieces] = [0, 0];
    for (let i = 0; now < 60_000; i++) {
      const some = [1, 14, 1, 256, 3][i % 5] ?? 1;
      // Those of the last batch are due after the end.
      if (now + some * 100 < 60_000) pieces += some;
      pace.began(some, now);
      expect(pace.notBefore).toBeGreaterThanOrEqual(now + 100);
      now = pace.notBefore;
    }
    expect(pieces).toBeLessThanOrEqual((60_000 + aheadMs) / 100);
  },
);

test('a lane that has something to write keeps its pace, and writes all that came meanwhile', async () => {
  const inserts: { readonly at: number; readonly texts: readonly string[] }[] = [];
  const world = laneOf(
    lettersSink((_, texts) => {
      inserts.push({ at: Date.now(), texts });
      if (inserts.length === 1) world.add('c1');
      if (inserts.length === 2) world.add('c2');
      return DELIVERED;
    }),
    { everyMs: 30 },
  );
  const from = Date.now();
  world.add('a1', 'b1');
  await world.drain();
  expect(inserts.map(({ texts }) => texts)).toEqual([['a1'], ['b1'], ['c1', 'c2']]);
  // Two pieces of 30 ms. A timer may be early by a millisecond.
  expect((inserts[2]?.at ?? 0) - from).toBeGreaterThanOrEqual(59);
});

test('a full lane waits as well: the number is a limit', async () => {
  const times: number[] = [];
  const world = laneOf(
    {
      write: async ({ records }) => {
        times.push(Date.now());
        return records.map(() => DELIVERED);
      },
    },
    { batchRows: 2, everyMs: 20 },
  );
  world.add('a', 'b', 'c', 'd', 'e');
  await world.drain();
  expect(times).toHaveLength(3);
  expect((times[2] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(39 - 1);
});

test('the share of a member is that of its partitions; the shares of all add up to one', async () => {
  const of = (assigned: { [topic: string]: number[] }) => shareOf(brokers, ['a', 'b'], assigned);
  // A topic that is read beside them, such as that of replays, counts for nothing.
  expect(await of({ a: [0], b: [1, 2], letters: [0] })).toBe(3 / 9);
  expect(await of({ a: [1, 2], b: [0, 3, 4, 5] })).toBe(6 / 9);
  expect(await of({ letters: [0] })).toBe(0);
  // Asked before partitions were added that are assigned by now.
  expect(await of({ a: [0, 1, 2, 3], b: [0, 1, 2, 3, 4, 5] })).toBe(1);
});
