import { expect, test } from 'vitest';
import { worstOf } from './workers.ts';

test('of several states of a dependency the worst counts', () => {
  const degraded = { degraded: 'KAFKA_UNREACHABLE' };
  expect(worstOf([undefined, undefined])).toBeUndefined();
  expect(worstOf([undefined, degraded])).toEqual(degraded);
  expect(worstOf([degraded, 'INGRESS_SPOOL_FULL', undefined])).toBe('INGRESS_SPOOL_FULL');
});
