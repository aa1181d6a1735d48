import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { ConfigError, Secret, type SinkRecord } from '@email-events/core';
import type { Alert } from '@email-events/schemas';
import { Webhook } from 'standardwebhooks';
import { afterEach, expect, test } from 'vitest';
import { alertsSection } from './config.ts';
import { alertsHttpSink, checkAlerts } from './http-sink.ts';

const [OLD, NEW] = [1, 2].map((fill) => `whsec_${Buffer.alloc(24, fill).toString('base64')}`) as [
  string,
  string,
];
const alert = {
  ...{ alert_id: 'a'.repeat(32), status: 'firing', rule: 'bounce_rate', level: 'critical', advice: 'pause' },
} as Alert;
const record = (value: Alert): SinkRecord<Alert> => ({
  ...{ topic: 'email.alerts', key: 'k', value, timestamp: 0, attempts: 0 },
});

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A receiver that answers what the test says, and keeps what it could verify by the older secret. */
async function receiver(answers: number[]) {
  const taken: { id: unknown; body: unknown }[] = [];
  const server = createServer(async (request, response) => {
    const body = await text(request);
    new Webhook(OLD).verify(body, request.headers as Record<string, string>);
    taken.push({ id: request.headers['webhook-id'], body: JSON.parse(body) });
    response.writeHead(answers.shift() ?? 204).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => server.close().closeAllConnections());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/alerts`;
  const secrets = [NEW, OLD].map((secret) => new Secret(secret));
  return { taken, server, sink: alertsHttpSink({ url, secrets, timeoutMs: 2_000 }, Date.now) };
}

const resolved = { ...alert, status: 'resolved' } as Alert;
const write = (sink: ReturnType<typeof alertsHttpSink>) =>
  sink.write({ id: 'b', records: [record(alert), record(resolved)] }, new AbortController().signal);

test('alerts are posted in order, signed by each secret, with an id that tells repetitions', async () => {
  const { sink, taken } = await receiver([]);
  expect((await write(sink)).map(({ outcome }) => outcome)).toEqual(['delivered', 'delivered']);
  expect(taken).toEqual([
    { id: `alert_${alert.alert_id}_firing`, body: alert },
    { id: `alert_${alert.alert_id}_resolved`, body: resolved },
  ]);
});

test('a receiver that has trouble is tried again, and nothing overtakes; a body it refuses is set aside', async () => {
  for (const status of [500, 429, 401, 404, 301]) {
    const { sink, taken } = await receiver([status]);
    expect((await write(sink)).map(({ outcome }) => outcome)).toEqual(['retry', 'retry']);
    expect(taken).toHaveLength(1);
  }
  const { sink, server } = await receiver([422]);
  expect(await write(sink)).toMatchObject([
    { outcome: 'dead-letter', code: 'ALERTS_HTTP_REJECTED' },
    { outcome: 'delivered' },
  ]);
  server.close().closeAllConnections();
  expect(await write(sink)).toMatchObject([{ outcome: 'retry', code: 'ALERTS_HTTP_UNREACHABLE' }, {}]);
});

test('secrets that sign nothing keep the service from starting', () => {
  const check = (secrets: string[]) => () => {
    const http = { url: 'https://example.com', timeoutMs: 1, secrets: secrets.map((one) => new Secret(one)) };
    checkAlerts({ alerts: { ...alertsSection.parse({}), http } } as never);
  };
  expect(check([NEW])).not.toThrow();
  expect(check([])).toThrow(ConfigError);
  expect(check(['whsec_short'])).toThrow('alerts.http.secrets.0: must be whsec_');
});
