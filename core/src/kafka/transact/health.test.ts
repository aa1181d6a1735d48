import { afterEach, expect, test } from 'vitest';
import { createMetrics } from '../../telemetry.ts';
import { keyOf, type TopicPartition } from '../client/offsets.ts';
import type { PlaceState } from '../read/fetcher.ts';
import { Lag, readinessOf, statefulReadinessOf } from './health.ts';

const told = (more: { problems?: string[]; troubled?: [string, string][]; isOpening?: boolean } = {}) => {
  const { problems = [], troubled = [], isOpening = false } = more;
  return {
    problems: () => problems,
    partitions: () => ({ assigned: 3, troubled: new Map(troubled) }),
    isOpening: () => isOpening,
  };
};
const one: [string, string][] = [['in/1', 'NOT_LEADER_FOR_PARTITION']];

test('what concerns one partition is told of it, and the others work', () => {
  const { kafka, registry, records } = readinessOf(told({ troubled: one }));
  const partitions = { 'in/1': 'NOT_LEADER_FOR_PARTITION' };
  expect(kafka()).toEqual({ degraded: 'NOT_LEADER_FOR_PARTITION', partitions });
  expect([registry(), records()]).toEqual([undefined, undefined]);
});

test('when none of its partitions works it is not ready', () => {
  const all: [string, string][] = [0, 1, 2].map((partition) => [`in/${partition}`, 'STATE_UNUSABLE']);
  const { kafka, state } = statefulReadinessOf(told({ troubled: all }));
  expect(state()).toMatchObject({ failed: 'STATE_UNUSABLE', partitions: { 'in/2': 'STATE_UNUSABLE' } });
  expect(kafka()).toBeUndefined();
});

test.each([
  ['kafka', 'KAFKA_UNREACHABLE'],
  ['registry', 'REGISTRY_UNREACHABLE'],
  ['state', 'STATE_DISK_FULL'],
] as const)('what is away for one is away for all: %s', (dependency, code) => {
  const checks = statefulReadinessOf(told({ troubled: [['in/1', code]] }));
  expect(checks[dependency]()).toEqual({ failed: code, partitions: { 'in/1': code } });
});

test('the group, a halt and a restore concern all of it', () => {
  expect(readinessOf(told({ problems: ['KAFKA_NOT_JOINED'] })).kafka()).toBe('KAFKA_NOT_JOINED');
  expect(readinessOf(told({ problems: ['PROCESSOR_HALTED'] })).records()).toBe('PROCESSOR_HALTED');
  const halted = told({ problems: ['PROCESSOR_HALTED'], troubled: [['in/0', 'PROCESSOR_HALTED']] });
  expect(readinessOf(halted).records()).toEqual({
    ...{ failed: 'PROCESSOR_HALTED', partitions: { 'in/0': 'PROCESSOR_HALTED' } },
  });
  expect(statefulReadinessOf(told({ isOpening: true })).state()).toBe('STATE_RESTORING');
  expect(statefulReadinessOf(told()).state()).toBeUndefined();
});

const lags: Lag[] = [];
afterEach(() => {
  for (const lag of lags.splice(0)) lag.stop();
});

function make() {
  const places: PlaceState[] = [];
  const log = new Map<number, number>();
  const metrics = createMetrics('test');
  const asked: TopicPartition[][] = [];
  const lag = new Lag({
    ...{ topic: 'in', metrics, places: () => places },
    ends: async (partitions) => {
      asked.push([...partitions]);
      return new Map(partitions.map((at) => [keyOf(at), log.get(at.partition) ?? 0]));
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
  return { lag, log, asked, fetched, forgotten, text };
}

test('it is what lies between what is committed and what was last seen of the end', async () => {
  const { lag, fetched, text } = make();
  lag.committed(0, 10);
  expect(await text()).toEqual([]);
  fetched(0, 25);
  fetched(1, 99);
  expect(await text()).toEqual([expect.stringContaining('partition="0"')]);
  expect(lag.behind()).toEqual(new Map([[0, 15]]));
  lag.committed(0, 25);
  expect(lag.behind()).toEqual(new Map([[0, 0]]));
});

test('of a partition whose end nobody knows yet, nothing is told', async () => {
  const { lag, fetched, text } = make();
  lag.committed(0, 10);
  fetched(0, undefined);
  expect(await text()).toEqual([]);
});

test('the lag of a partition that stands still grows: its end is asked for', async () => {
  const { lag, log, asked, fetched, forgotten } = make();
  lag.committed(0, 10);
  lag.committed(1, 5);
  fetched(1, 5);
  // Its batch fails again and again, so it is not even fetched at times.
  fetched(0, 11, true);
  expect(lag.behind().get(0)).toBe(1);
  log.set(0, 500);
  await lag.ask();
  expect(asked).toEqual([[{ topic: 'in', partition: 0 }]]);
  expect(lag.behind()).toEqual(
    new Map([
      [0, 490],
      [1, 0],
    ]),
  );
  forgotten();
  log.set(0, 900);
  await lag.ask();
  expect(lag.behind().get(0)).toBe(890);
});

test('an answer that does not come changes nothing, and nothing is told of what another instance has', async () => {
  const { lag, fetched, text } = make();
  lag.committed(0, 10);
  fetched(0, 30);
  const broken = new Lag({
    ...{ topic: 'in', metrics: createMetrics('test'), places: () => [] },
    ends: () => Promise.reject(new Error('no')),
  });
  lags.push(broken);
  broken.committed(0, 1);
  await broken.ask();
  expect(broken.behind()).toEqual(new Map());
  expect(await text()).toHaveLength(1);
  lag.forget(0);
  expect(await text()).toEqual([]);
});
