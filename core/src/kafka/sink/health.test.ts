import { expect, test } from 'vitest';
import { Registry } from '../../telemetry.ts';
import { keyOf } from '../client/offsets.ts';
import { LagWatch, SinkHealth, sinkMeasures } from './health.ts';

const { signal } = new AbortController();

test('lanes that wait are named with what they wait for, until they work or are gone', async () => {
  const health = new SinkHealth({ check: async () => {} }, signal);
  expect(health.waitingLanes()).toBeUndefined();
  health.report('events-3', 'SLOW');
  health.report('events-1', 'AWAY');
  expect(health.waitingLanes()).toBe('events-1: AWAY, events-3: SLOW');
  expect(await health.problem()).toBe('SLOW');
  health.report('events-3', undefined);
  expect(health.waitingLanes()).toBe('events-1: AWAY');
  for (let n = 0; n < 9; n++) health.report(`lane-${n}`, 'AWAY');
  expect(health.waitingLanes()).toMatch(/lane-3: AWAY, 5 more$/);
  health.forgetLanes();
  expect(health.waitingLanes()).toBeUndefined();
  expect(await health.problem()).toBeUndefined();
});

const AT = { topic: 'in', partition: 2 };

function watch(offset: number | null, low: number, high: number) {
  const { lag } = sinkMeasures(new Registry());
  let bounds: (() => { low: number; high: number }) | undefined;
  const watching = new LagWatch(
    {
      gauge: lag,
      everyMs: 3_600_000,
      bounds: async () => {
        if (!bounds) throw new Error('away');
        return new Map([[keyOf(AT), bounds()]]);
      },
    },
    [{ committed: { ...AT, offset, metadata: null }, bounds: { low, high } }],
  );
  return {
    watching,
    values: async () => (await lag.get()).values.map(({ labels, value }) => [labels.partition, value]),
    async look(of: { low: number; high: number } | undefined) {
      bounds = of && (() => of);
      await watching.look();
    },
  };
}

test('a partition that nobody reads on tells how far its log has grown', async () => {
  const { look, values, watching } = watch(10, 0, 30);
  expect(await values()).toEqual([[2, 20]]);
  await look({ low: 0, high: 500 });
  expect(await values()).toEqual([[2, 490]]);
  watching.note([{ ...AT, offset: 400, metadata: null }]);
  await look({ low: 0, high: 500 });
  expect(await values()).toEqual([[2, 100]]);
});

test('what was never committed is behind by all there is, and what retention took does not count', async () => {
  const { look, values } = watch(null, 100, 130);
  expect(await values()).toEqual([[2, 30]]);
  await look({ low: 120, high: 150 });
  expect(await values()).toEqual([[2, 30]]);
});

test('while Kafka is away the last figure stays; when the partition is of somebody else, none does', async () => {
  const { look, values, watching } = watch(10, 0, 30);
  await look(undefined);
  expect(await values()).toEqual([[2, 20]]);
  watching.end();
  expect(await values()).toEqual([]);
});
