import { expect, test } from 'vitest';
import { SinkHealth } from './health.ts';

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
