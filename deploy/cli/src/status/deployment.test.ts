import { expect, test } from 'vitest';
import { pipelineConfig } from '../services.ts';
import { adminAddresses } from './deployment.ts';

test('each service that is configured, at its own port', () => {
  const config = pipelineConfig.parse({ adminHost: '10.0.0.5', events: { adminPort: 7001 } });
  expect(adminAddresses(config)).toEqual([
    { name: 'ingress', adminUrl: 'http://10.0.0.5:9080' },
    { name: 'normalize', adminUrl: 'http://10.0.0.5:9081' },
    { name: 'events', adminUrl: 'http://10.0.0.5:7001' },
    { name: 'sink-clickhouse', adminUrl: 'http://10.0.0.5:9083' },
  ]);
  const withCrm = adminAddresses(pipelineConfig.parse({ sinks: { crm: {} } }));
  expect(withCrm.at(-1)).toEqual({ name: 'sink-crm', adminUrl: 'http://127.0.0.1:9084' });
});

test.each([
  ['0.0.0.0', 'http://127.0.0.1:9080'],
  ['::', 'http://[::1]:9080'],
  ['fd00::5', 'http://[fd00::5]:9080'],
  ['ingress.internal', 'http://ingress.internal:9080'],
])('bound to %s it is asked at %s', (adminHost, adminUrl) => {
  expect(adminAddresses(pipelineConfig.parse({ adminHost }))[0]).toEqual({ name: 'ingress', adminUrl });
});

test('where any free port is taken, there is no address', () => {
  const [ingress] = adminAddresses(pipelineConfig.parse({ ingress: { adminPort: 0 } }));
  expect(ingress).toEqual({ name: 'ingress', adminUrl: null });
});
