import { pipelineConfig } from '@email-events/cli/services';
import { expect, test } from 'vitest';
import { publishedPorts } from './container-fleet.ts';

const ADMIN_PORTS = {
  ingress: { ingress: { adminPort: 0 } },
  normalize: { normalize: { adminPort: 0 } },
  events: { events: { adminPort: 0 } },
  'sink-clickhouse': { sinks: { clickhouse: { adminPort: 0 }, crm: {} } },
  'sink-crm': { sinks: { crm: { adminPort: 0 } } },
} as const;
const NAMES = Object.keys(ADMIN_PORTS) as (keyof typeof ADMIN_PORTS)[];

test('ports are published as they are configured', () => {
  const config = pipelineConfig.parse({
    ingress: { port: 7000, adminPort: 7001 },
    sinks: { crm: { adminPort: 7002 } },
  });
  expect(publishedPorts('ingress', config)).toEqual({ http: 7000, admin: 7001 });
  expect(publishedPorts('sink-crm', config)).toEqual({ admin: 7002 });
});

test.each(NAMES)('port 0 of %s is refused, for this service only', (name) => {
  const config = pipelineConfig.parse({ sinks: { crm: {} }, ...ADMIN_PORTS[name] });
  const refused = expect.objectContaining({
    code: 'RUN_SERVICES_UNAVAILABLE',
    message: expect.stringContaining(`${name}: port 0 cannot be published`),
  });
  expect(() => publishedPorts(name, config)).toThrow(refused);
  for (const other of NAMES) if (other !== name) expect(() => publishedPorts(other, config)).not.toThrow();
});

test('port 0 for webhooks is refused as well', () => {
  expect(() => publishedPorts('ingress', pipelineConfig.parse({ ingress: { port: 0 } }))).toThrow(
    'ingress: port 0',
  );
});
