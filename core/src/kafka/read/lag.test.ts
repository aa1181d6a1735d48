import { afterEach, expect, test } from 'vitest';
import { createMetrics } from '../../telemetry.ts';
import { keyOf, type LogBounds, type TopicPartition } from '../client/offsets.ts';
import type { PlaceState } from './fetcher.ts';
import { Lag } from './lag.ts';

const lags: Lag[] = [];
afterEach(() => {
  for (const lag of lags.splice(0)) lag.stop();
});

const at = (partition: number) => ({ topic: 'in', partition });

function make() {
  const places: PlaceState[] = [];
  const log = new Map<number, LogBounds>();
  const metrics = createMetrics('test');
  const asked: TopicPartition[][] = [];
  const lag = new Lag({
    ...{ metrics, places: () => places },
    bounds: async (partitions) => {
      asked.push([...partitions]);
      if (log.size === 0) throw new Error('away');
      return new Map(partitions.map((of) => [keyOf(of), log.get(of.partition) ?? { low: 0, high: 0 }]));
    },
  });
  lags.push(lag);
  const fetched = (partition: number, end: number | undefined, waiting = false) => {
    const rest = { topic: 'in', position: 0, problem: undefined, progressAt: 0 };
    places.splice(0, places.length, ...places.filter((place) => place.partition !== partition));
    places.push({ ...rest, partition, end, waiting });
  };
  const forgotten = () => places.splice(0);
  const text = async () =>
    (await metrics.metrics()).split('\n').filter((line) => line.startsWith('email_events_consumer_lag{'));
  const behind = () => lag.behind().map(({ partition, offsets }) => [partition, offsets]);
  return { lag, log, asked, fetched, forgotten, text, behind };
}

test('it is the distance from the committed offset to the last seen end', async () => {
  const { lag, fetched, text, behind } = make();
  lag.committed(at(0), 10);
  expect(await text()).toEqual([]);
  fetched(0, 25);
  fetched(1, 99);
  expect(await text()).toEqual([expect.stringMatching(/partition="0".* 15$/)]);
  expect(behind()).toEqual([[0, 15]]);
  lag.committed(at(0), 25);
  expect(behind()).toEqual([[0, 0]]);
});

test('of a partition whose end is not known yet, nothing is reported', async () => {
  const { lag, fetched, text } = make();
  lag.committed(at(0), 10);
  fetched(0, undefined);
  expect(await text()).toEqual([]);
});

test('the lag of a partition that stands still grows: its end is asked for', async () => {
  const { lag, log, asked, fetched, forgotten, behind } = make();
  lag.committed(at(0), 10);
  lag.committed(at(1), 5);
  fetched(1, 5);
  // Its batch fails again and again, so it is not even fetched at times.
  fetched(0, 11, true);
  expect(behind()[0]).toEqual([0, 1]);
  log.set(0, { low: 0, high: 500 });
  await lag.ask();
  expect(asked).toEqual([[at(0)]]);
  expect(behind()).toEqual([
    [0, 490],
    [1, 0],
  ]);
  forgotten();
  log.set(0, { low: 0, high: 900 });
  await lag.ask();
  expect(behind()[0]).toEqual([0, 890]);
  lag.committed(at(0), 400);
  expect(behind()[0]).toEqual([0, 500]);
});

test('a partition that was never committed is behind by all there is; removed records do not count', async () => {
  const { lag, log, behind } = make();
  lag.seen(at(2), { low: 100, high: 130 });
  expect(behind()).toEqual([[2, 30]]);
  log.set(2, { low: 120, high: 150 });
  await lag.ask();
  expect(behind()).toEqual([[2, 30]]);
});

test('an answer that does not come changes nothing, and nothing is reported of another instance’s partitions', async () => {
  const { lag, fetched, text, asked } = make();
  lag.committed(at(0), 10);
  lag.seen(at(1), { low: 0, high: 20 });
  fetched(0, 30, true);
  await lag.ask();
  expect(asked).toEqual([[at(0), at(1)]]);
  expect(await text()).toHaveLength(2);
  lag.forget(at(0));
  expect(await text()).toEqual([expect.stringContaining('partition="1"')]);
  lag.forgetAll();
  expect(await text()).toEqual([]);
});
