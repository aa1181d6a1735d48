import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REPOSITORY } from '@email-events/cli/home';
import { type ServiceName, services } from '@email-events/cli/services';
import { afterAll, expect, test, vi } from 'vitest';
import { processOf } from './services.ts';

// Through the real entry files: to run a service, one must know the secrets that it needs, and no others.

// Each starts a process, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const folder = mkdtempSync(join(tmpdir(), 'service-secrets-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SECRETS = {
  KAFKA: 'kafka-password',
  REGISTRY: 'registry-password',
  SHOP: `key-${'0'.repeat(32)}`,
  CLICKHOUSE: 'clickhouse-password',
  CRM: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
  LOOKUP: 'token-of-the-look-ups',
  ALERTS: `whsec_${Buffer.alloc(32, 8).toString('base64')}`,
};
type Name = keyof typeof SECRETS;

/** A section for each sink, so that none is left out. */
const sinks = Object.fromEntries(
  services.flatMap(({ section }) =>
    section.startsWith('sinks.') ? [[section.slice('sinks.'.length), {}]] : [],
  ),
);

const file = join(folder, 'pipeline.yaml');
writeFileSync(
  file,
  JSON.stringify({
    kafka: { sasl: { mechanism: 'plain', username: 'u', password: 'env:KAFKA' } },
    registry: { username: 'u', password: 'env:REGISTRY' },
    sources: { shop: { esp: 'mailgun', secrets: ['env:SHOP'] } },
    sinks: {
      ...sinks,
      clickhouse: { password: 'env:CLICKHOUSE' },
      crm: { secrets: ['env:CRM'] },
      lookup: { tokens: ['env:LOOKUP'] },
    },
    alerts: { http: { url: 'https://example.com/alerts', secrets: ['env:ALERTS'] } },
  }),
);

/** By service; one that is not named needs what every consumer does. */
const NEEDS: { readonly [service in ServiceName]?: readonly Name[] } = {
  ingress: ['KAFKA', 'SHOP'],
  normalize: ['KAFKA', 'REGISTRY'],
  events: ['KAFKA', 'REGISTRY'],
  'sink-clickhouse': ['KAFKA', 'REGISTRY', 'CLICKHOUSE'],
  'sink-crm': ['KAFKA', 'REGISTRY', 'CRM'],
  lookup: ['KAFKA', 'REGISTRY', 'LOOKUP'],
  alerts: ['KAFKA', 'REGISTRY', 'ALERTS'],
};
const EVERY_CONSUMER: readonly Name[] = ['KAFKA', 'REGISTRY'];

/** Exit code and output of `--check-config`, which is what a start begins with. */
function check(service: ServiceName, known: readonly Name[], config = file) {
  const env = Object.fromEntries(known.map((name) => [name, SECRETS[name]]));
  const args = [join(REPOSITORY, processOf(service).entry), '--check-config', '--config', config];
  return new Promise<{ code: number; out: string }>((resolve) => {
    execFile(process.execPath, args, { env: { PATH: process.env.PATH ?? '', ...env } }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out: out + err }),
    );
  });
}

test.each(services.map(({ name }) => name))('%s needs its own secrets, and no other', async (service) => {
  const needed = NEEDS[service] ?? EVERY_CONSUMER;
  expect(await check(service, needed)).toEqual({ code: 0, out: '' });
  const last = needed.at(-1) as Name;
  const without = await check(
    service,
    needed.filter((name) => name !== last),
  );
  expect([without.code, without.out]).toEqual([
    1,
    expect.stringContaining(`environment variable ${last} is not set`),
  ]);
  for (const secret of Object.values(SECRETS)) expect(without.out).not.toContain(secret);
});

test('a pipeline without a CRM is one: only the CRM’s own sink says no', async () => {
  const none = join(folder, 'none.yaml');
  writeFileSync(none, '{}');
  expect((await check('events', [], none)).code).toBe(0);
  const refused = await check('sink-crm', [], none);
  expect([refused.code, refused.out]).toEqual([1, expect.stringContaining('no CRM is configured')]);
});
