import { pathsOf } from '@email-events/cli/home';
import { expect, test } from 'vitest';
import { SERVICE_NAMES, selectServices, serviceSpec } from './services.ts';

test('SERVICES says what they run in; processes without it', () => {
  expect([{}, { SERVICES: '' }, { SERVICES: 'processes' }].map(selectServices)).toEqual(
    Array(3).fill('processes'),
  );
  expect(selectServices({ SERVICES: 'containers' })).toBe('containers');
  expect(() => selectServices({ SERVICES: 'vms' })).toThrow('SERVICES=vms: must be processes or containers');
});

test('no argument of a process is a secret', () => {
  const settings = { paths: pathsOf('/home'), receiverPort: 1, crmSecret: 'whsec_secret' };
  for (const name of SERVICE_NAMES) {
    const { args, nodeArgs = [] } = serviceSpec(name, settings);
    expect([...args, ...nodeArgs].join(' ')).not.toContain('whsec_');
  }
});
