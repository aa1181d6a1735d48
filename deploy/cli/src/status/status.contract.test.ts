import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createMetrics, type RunningService, silentLog } from '@email-events/core';
import { startIngress } from '@email-events/ingress';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pipelineConfig } from '../services.ts';
import { runBin } from '../testing.ts';
import { readDeployment } from './deployment.ts';
import { isWell } from './instance.ts';

// Two real ingresses, and no Kafka: what they take goes to their spools.

const folder = mkdtempSync(join(tmpdir(), 'status-'));
const started: RunningService[] = [];
let ingresses: RunningService[];
const adminOf = ({ ports }: RunningService) => `http://127.0.0.1:${ports.admin}`;
const admins = () => ingresses.map(adminOf);
const addresses = () => admins().map((adminUrl) => ({ adminUrl }));

async function start(name: string): Promise<RunningService> {
  const config = pipelineConfig.parse({
    kafka: { brokers: ['127.0.0.1:1'], connectionTimeoutMs: 200 },
    ingress: { port: 0, adminPort: 0, spool: { dir: join(folder, name) } },
    sources: {
      shop: { esp: 'postmark', secrets: ['shop:right'] },
      blog: { esp: 'mailjet', secrets: ['blog:right'] },
      idle: { esp: 'brevo', secrets: ['idle:right'] },
    },
  });
  const service = await startIngress({ config, log: silentLog, metrics: createMetrics('ingress') });
  started.push(service);
  return service;
}

async function send({ ports }: RunningService, source: string, password: string): Promise<number> {
  const { status } = await fetch(`http://127.0.0.1:${ports.http}/webhooks/email-events/${source}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Basic ${Buffer.from(`${source}:${password}`).toString('base64')}`,
    },
    body: '{}',
  });
  return status;
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within 15 s: ${what}`);
    await pause(50);
  }
}

beforeAll(async () => {
  ingresses = await Promise.all([start('a'), start('b')]);
  const [a, b] = ingresses as [RunningService, RunningService];
  for (const [ingress, source, password, status] of [
    ...([
      [a, 'shop', 'right', 200],
      [a, 'shop', 'right', 200],
      [b, 'shop', 'right', 200],
    ] as const),
    ...([
      [a, 'shop', 'wrong', 401],
      [a, 'blog', 'wrong', 401],
      [b, 'blog', 'wrong', 401],
    ] as const),
  ])
    expect(await send(ingress, source, password)).toBe(status);
  for (const name of ['made-up', 'made-up-2', '__proto__']) expect(await send(a, name, 'x')).toBe(404);
  await until('both say that Kafka is away', async () =>
    (await readDeployment(addresses())).services.every(({ readiness }) => readiness === 'degraded'),
  );
});
afterAll(async () => {
  for (const service of started) await service.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('instances of the ingress are summed; sources are those of the configuration, and no others', async () => {
  const { sources, ingresses: instances, recentSeconds, spool } = await readDeployment(addresses());
  expect(sources).toEqual([
    {
      ...{ name: 'shop', esp: 'postmark', lastAcceptedAt: expect.stringMatching(/^\d{4}-.*Z$/) },
      sinceStart: { accepted: 3, refused: { CREDENTIALS_WRONG: 1 } },
      recent: { accepted: 3, refused: { CREDENTIALS_WRONG: 1 } },
    },
    {
      ...{ name: 'blog', esp: 'mailjet', lastAcceptedAt: null },
      sinceStart: { accepted: 0, refused: { CREDENTIALS_WRONG: 2 } },
      recent: { accepted: 0, refused: { CREDENTIALS_WRONG: 2 } },
    },
    {
      ...{ name: 'idle', esp: 'brevo', lastAcceptedAt: null },
      sinceStart: { accepted: 0, refused: {} },
      recent: { accepted: 0, refused: {} },
    },
  ]);
  expect([instances, recentSeconds]).toEqual([{ asked: 2, told: 2 }, 300]);
  expect(spool).toEqual({
    ...{ records: 3, setAside: 0, bytes: expect.any(Number) },
    oldestAt: expect.stringMatching(/^\d{4}-.*Z$/),
  });
});

test('degraded is told as degraded, which takes work; a source that gets nothing but refusals is not well', async () => {
  const report = await readDeployment(addresses());
  expect(report.services).toMatchObject(
    admins().map((adminUrl) => ({
      ...{ name: 'ingress', readiness: 'degraded', problems: { kafka: 'KAFKA_UNREACHABLE' }, adminUrl },
    })),
  );
  expect([report.ready, report.onlyRefused, isWell(report)]).toEqual([true, ['blog'], false]);
  const args = admins().flatMap((url) => ['--admin', url]);
  const { code, out } = await runBin(['status', ...args]);
  expect(code).toBe(1);
  expect(out).toMatch(/^degraded, 1 source gets nothing but refusals\n/);
  expect(out).toMatch(/ingress +degraded: kafka KAFKA_UNREACHABLE/);
  expect(out).toMatch(/shop +postmark +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +3 +3 +1 +1 +CREDENTIALS_WRONG/);
  expect(out).toMatch(/blog +mailjet +not yet +0 +0 +2 +2 +CREDENTIALS_WRONG/);
  expect(out).toContain('blog had 2 requests in the last 5 min, all refused: CREDENTIALS_WRONG');
  expect(out).toMatch(/spool: 3 requests \(\d+ bytes\) wait for Kafka, the oldest of /);
});

test('one that does not answer makes it exit with 1, and is told', async () => {
  const [a] = admins() as [string];
  const third = await start('c');
  await until('it says that Kafka is away', async () =>
    (await readDeployment([{ adminUrl: adminOf(third) }])).services.every(
      ({ readiness }) => readiness === 'degraded',
    ),
  );
  // All is well but for Kafka, for which the spool stands in.
  expect((await runBin(['status', '--admin', adminOf(third)])).code).toBe(0);
  await third.stop();
  const report = await readDeployment([{ adminUrl: adminOf(third) }]);
  expect(report).toMatchObject({
    ready: false,
    services: [{ name: '?', readiness: 'no answer' }],
    counts: null,
  });
  const { code, out } = await runBin(['status', '--admin', `${adminOf(third)},${a}`]);
  expect([code, out]).toEqual([1, expect.stringMatching(/^not ready/)]);
});

test('without --admin it asks at the addresses of the configuration that was named', async () => {
  const file = join(folder, 'pipeline.yaml');
  const [a] = ingresses as [RunningService];
  const others = ['normalize', 'events'].map((name) => `${name}:\n  adminPort: 1\n`).join('');
  writeFileSync(
    file,
    `ingress:\n  adminPort: ${a.ports.admin}\n${others}sinks:\n  clickhouse:\n    adminPort: 0\n`,
  );
  const { code, out } = await runBin(['status', '--config', file]);
  expect([code, out]).toEqual([1, expect.stringMatching(/^not ready/)]);
  expect(out).toMatch(/ingress +degraded: kafka KAFKA_UNREACHABLE +http:\/\/127\.0\.0\.1:\d+\n/);
  expect(out).toMatch(/normalize +no answer +http:\/\/127\.0\.0\.1:1\n/);
  expect(out).toMatch(/sink-clickhouse +no answer *\n/);
  expect(out).not.toContain('sink-crm');
  const fromVariable = await runBin(['status', '--json'], { env: { EMAIL_EVENTS_CONFIG: file } });
  expect(JSON.parse(fromVariable.out).services.map(({ name }: { name: string }) => name)).toEqual([
    ...['ingress', 'normalize', 'events', 'sink-clickhouse'],
  ]);
});

test('a source that gets something is well again', async () => {
  const [, b] = ingresses as [RunningService, RunningService];
  expect(await send(b, 'blog', 'right')).toBe(200);
  const report = await readDeployment(addresses());
  expect([report.onlyRefused, isWell(report)]).toEqual([[], true]);
});

test.each(['no url', 'http://host'])('--admin %s is told what it takes', async (text) => {
  const { code, err } = await runBin(['status', '--admin', text]);
  expect([code, err]).toEqual([2, expect.stringContaining('http://host:9080')]);
});
