import { expect, test } from 'vitest';
import { laneOf, lettersSink } from '../testing/sink-lane.ts';
import { LanePace, shares } from './pace.ts';
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
  pace.began(1, 1_250);
  expect(pace.notBefore).toBe(1_350);
});

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
