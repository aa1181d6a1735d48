import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { pipelineConfig } from '../services.ts';
import { adminAddresses, readDeployment } from './deployment.ts';

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

describe('what answers is not what was expected', () => {
  const READY = JSON.stringify({ status: 'ok', dependencies: {} });
  const metricsOf = (service: string) => `email_events_consumer_lag{service="${service}"} 5\n`;

  async function serverWith(listener: RequestListener): Promise<string> {
    const server = createServer(listener).listen(0, '127.0.0.1');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    await new Promise((resolve) => server.once('listening', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** Answers of an admin port by path; of all others that is "not found". */
  const answers =
    (texts: { readonly [path: string]: string }): RequestListener =>
    ({ url = '' }, response) => {
      const text = texts[url];
      response.writeHead(text === undefined ? 404 : 200).end(text);
    };

  test('another service: that of another pipeline, or of another configuration', async () => {
    const adminUrl = await serverWith(answers({ '/readyz': READY, '/metrics': metricsOf('sink-crm') }));
    const { ready, services } = await readDeployment([{ name: 'events', adminUrl }]);
    expect(ready).toBe(false);
    expect(services).toMatchObject([
      { name: 'events', readiness: 'not ready', problems: { 'answered by': 'sink-crm' }, lag: null },
    ]);
    const [unnamed] = (await readDeployment([{ adminUrl }])).services;
    expect(unnamed).toMatchObject({ name: 'sink-crm', readiness: 'ok', lag: { records: 5 } });
  });

  test.each([
    '{"sources":[null]}',
    '{"sources":[{"name":"shop"}]}',
    '{"recentSeconds":1,"sources":"shop"}',
    'null',
    '<html>',
  ])('an ingress that tells %s of its sources tells nothing', async (status) => {
    const texts = { '/readyz': READY, '/metrics': metricsOf('ingress'), '/status': status };
    const { ready, ingresses, sources } = await readDeployment([
      { adminUrl: await serverWith(answers(texts)) },
    ]);
    expect({ ready, ingresses, sources }).toEqual({
      ready: true,
      ingresses: { asked: 1, told: 0 },
      sources: [],
    });
  });

  test('a redirect, or an answer without an end, is none', async () => {
    const there = await serverWith(answers({ '/readyz': READY, '/metrics': metricsOf('events') }));
    const redirect = await serverWith(({ url }, response) =>
      response.writeHead(302, { location: `${there}${url}` }).end(),
    );
    const endless = await serverWith((_, response) => {
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(1_048_576, ' '))) {}
      };
      response.on('drain', more);
      more();
    });
    const { services } = await readDeployment([redirect, endless].map((adminUrl) => ({ adminUrl })));
    expect(services.map(({ readiness }) => readiness)).toEqual(['no answer', 'no answer']);
  });
});
