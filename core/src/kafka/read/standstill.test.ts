import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Registry } from '../../telemetry.ts';
import type { PlaceState } from './fetcher.ts';
import { lateOf, Standstill, stuckOf } from './standstill.ts';

const place = (of: Partial<PlaceState>): PlaceState => ({
  ...{ topic: 't', partition: 0, position: 5, end: 9, waiting: false, problem: undefined, progressAt: 0 },
  ...of,
});

test('late is what was not read for ten seconds, unless its reader is at work on it', () => {
  const [slow, working] = [place({ partition: 1 }), place({ partition: 2, waiting: true })];
  expect(lateOf([place({ progressAt: 5_000 }), slow, working], 10_001)).toEqual([slow]);
  expect(lateOf([slow, working], 10_000)).toEqual([]);
});

test('stuck is what is late for two minutes for no reason that is known', () => {
  expect(stuckOf([place({ problem: 'KAFKA_UNREACHABLE' })], 600_000)).toBeUndefined();
  expect(stuckOf([place({})], 120_000)).toBeUndefined();
  const known = place({ partition: 1, problem: 'LEADER_NOT_AVAILABLE' });
  expect(stuckOf([known, place({})], 120_001)).toMatchObject({
    code: 'KAFKA_READ_STALLED',
    disposition: 'fatal',
    message: expect.stringContaining('t/0'),
  });
});

let places: PlaceState[];
let groupProblem: string | undefined;
let registry: Registry;
const stuck = vi.fn();
let standstill: Standstill;
beforeEach(() => {
  vi.useFakeTimers();
  stuck.mockReset();
  [places, groupProblem, registry] = [[], undefined, new Registry()];
  standstill = new Standstill({
    places: () => places,
    groupProblem: () => groupProblem,
    metrics: registry,
    stuck,
  });
});
afterEach(() => {
  standstill.stop();
  vi.useRealTimers();
});
const standing = async () =>
  (await registry.getSingleMetric('email_events_standing_partitions')?.get())?.values;

test('a gauge and a code report it, and without any reason the service ends', async () => {
  places = [place({ progressAt: performance.now() })];
  vi.advanceTimersByTime(12_000);
  expect(standstill.problem()).toBe('KAFKA_READ_STALLED');
  expect(await standing()).toMatchObject([{ value: 1 }]);
  expect(stuck).not.toHaveBeenCalled();
  vi.advanceTimersByTime(110_000);
  expect(stuck).toHaveBeenCalledWith(expect.objectContaining({ code: 'KAFKA_READ_STALLED' }));
});

test('a known reason is reported, and waited for', async () => {
  places = [place({ progressAt: performance.now(), problem: 'KAFKA_UNREACHABLE' })];
  vi.advanceTimersByTime(600_000);
  expect(standstill.problem()).toBe('KAFKA_UNREACHABLE');
  expect(stuck).not.toHaveBeenCalled();
});

test('a group that is not well is a reason', () => {
  [places, groupProblem] = [[place({ progressAt: performance.now() })], 'KAFKA_UNREACHABLE'];
  vi.advanceTimersByTime(600_000);
  expect(stuck).not.toHaveBeenCalled();
  groupProblem = undefined;
  vi.advanceTimersByTime(2_000);
  expect(stuck).toHaveBeenCalled();
});

test('with progress it is over', async () => {
  places = [place({ progressAt: performance.now() })];
  vi.advanceTimersByTime(20_000);
  places = [place({ progressAt: performance.now() })];
  vi.advanceTimersByTime(2_000);
  expect(standstill.problem()).toBeUndefined();
  expect(await standing()).toMatchObject([{ value: 0 }]);
});
