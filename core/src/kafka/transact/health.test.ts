import { expect, test } from 'vitest';
import { readinessOf, statefulReadinessOf } from './health.ts';

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
