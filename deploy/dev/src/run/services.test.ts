import { expect, test } from 'vitest';
import { selectServices } from './services.ts';

test('SERVICES says what they run in; processes without it', () => {
  expect([{}, { SERVICES: '' }, { SERVICES: 'processes' }].map(selectServices)).toEqual(
    Array(3).fill('processes'),
  );
  expect(selectServices({ SERVICES: 'containers' })).toBe('containers');
  expect(() => selectServices({ SERVICES: 'vms' })).toThrow('SERVICES=vms: must be processes or containers');
});
