import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipelineConfig } from '@email-events/cli/services';
import { createMetrics, type RunningService, silentLog } from '@email-events/core';
import { startIngress } from '@email-events/ingress';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitFor } from '../../harness/wait.ts';
import { Monitoring } from './monitoring.ts';

// A staged incident: our secret is wrong, and Kafka is away. A real ingress, Prometheus and Alertmanager.

const folder = mkdtempSync(join(tmpdir(), 'incident-'));
const monitoring = new Monitoring(folder);
let ingress: RunningService;

/** As the ESP signs. */
async function send(password: string): Promise<number> {
  const { status } = await fetch(`http://127.0.0.1:${ingress.ports.http}/webhooks/email-events/shop`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Basic ${Buffer.from(`shop:${password}`).toString('base64')}`,
    },
    body: '{"RecordType":"Open"}',
  });
  return status;
}

beforeAll(async () => {
  const config = pipelineConfig.parse({
    kafka: { brokers: ['127.0.0.1:1'], connectionTimeoutMs: 200 },
    ingress: { port: 0, adminPort: 0, spool: { dir: join(folder, 'spool') } },
    sources: { shop: { esp: 'postmark', secrets: ['shop:right'] } },
  });
  ingress = await startIngress({ config, log: silentLog, metrics: createMetrics('ingress') });
  await monitoring.start([`127.0.0.1:${ingress.ports.admin}`]);
}, 120_000);
afterAll(async () => {
  await monitoring.stop();
  await ingress?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('Kafka is away: somebody is told, with what to do', async () => {
  const { labels, annotations } = await monitoring.until('firing', 'EmailEventsKafkaAway');
  expect(labels).toMatchObject({ severity: 'page', instance: `127.0.0.1:${ingress.ports.admin}` });
  expect(annotations).toMatchObject({ runbook: 'deploy/RUNBOOK.md#emaileventskafkaaway' });
  expect(annotations.summary).toContain('cannot write to Kafka');
});

test('all requests of a source are refused: somebody is told, and told again when they are taken', {
  timeout: 180_000,
}, async () => {
  // As many as the rule wants to see, at the moment of a scrape.
  const sendUntil = async (password: string, status: number, told: () => boolean) => {
    await waitFor(
      `told while ${password} is sent`,
      async () => {
        expect(await send(password)).toBe(status);
        return told();
      },
      60_000,
    );
  };
  const isTold = (status: 'firing' | 'resolved') => () =>
    monitoring.told.some((told) => told.alert === 'EmailEventsSourceOnlyRefused' && told.status === status);
  await sendUntil('wrong', 401, isTold('firing'));
  const { labels } = await monitoring.until('firing', 'EmailEventsSourceOnlyRefused');
  expect(labels).toMatchObject({ source: 'shop', severity: 'page' });
  await sendUntil('right', 200, isTold('resolved'));
  // Kafka is still away, so what was taken waits on the disk.
  await monitoring.until('firing', 'EmailEventsSpoolInUse');
});

test('a service that ends is told of', async () => {
  await ingress.stop();
  await monitoring.until('firing', 'EmailEventsDown');
});
