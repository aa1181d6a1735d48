import { afterEach, expect, test } from 'vitest';
import {
  type AdminOptions,
  type AdminServer,
  type DependencyState,
  startAdminServer,
} from './admin-server.ts';
import { PipelineError } from './errors.ts';
import { Counter, createMetrics, Gauge, Registry } from './telemetry.ts';

const servers: AdminServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function start(options: Partial<AdminOptions> = {}) {
  const server = await startAdminServer({
    host: '127.0.0.1',
    port: 0,
    metrics: new Registry(),
    readiness: {},
    ...options,
  });
  servers.push(server);
  const get = async (path: string, init?: RequestInit) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, init);
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      body: await response.text(),
    };
  };
  const getJson = async (path: string) => {
    const { status, body } = await get(path);
    return { status, ...JSON.parse(body) };
  };
  return { server, get, getJson };
}

test('the process answers, and says what it does not know', async () => {
  const { get, getJson } = await start();
  expect(await getJson('/healthz?probe=1')).toEqual({ status: 'ok' });
  expect((await get('/')).status).toBe(404);
  expect((await get('/healthz/x')).status).toBe(404);
  expect((await get('/healthz', { method: 'POST' })).status).toBe(405);
  expect((await get('/healthz', { method: 'HEAD' })).status).toBe(200);
});

test('a service of several processes is alive when all of them are', async () => {
  let alive: () => Promise<unknown> = async () => [];
  const { get, getJson } = await start({
    checkTimeoutMs: 20,
    alive: () => alive(),
    status: async () => ({ told: 'later' }),
  });
  expect(await getJson('/healthz')).toEqual({ status: 'ok' });
  expect(JSON.parse((await get('/status')).body)).toEqual({ told: 'later' });
  alive = () => Promise.reject(new PipelineError('KAFKA_UNREACHABLE', 'retry', 'no'));
  expect(await getJson('/healthz')).toEqual({ status: 'KAFKA_UNREACHABLE' });
  alive = () => new Promise(() => {});
  expect(await getJson('/healthz')).toEqual({ status: 'TIMEOUT' });
  expect((await get('/healthz')).status).toBe(503);
});

test('partitions that do not work are named; whether it is ready all the same, the dependency says', async () => {
  const partitions = { 'in/3': 'STATE_UNUSABLE' };
  let state: DependencyState = { degraded: 'STATE_UNUSABLE', partitions };
  const { getJson, get } = await start({ readiness: { kafka: () => undefined, state: () => state } });
  const dependencies = { kafka: 'ok', state: 'STATE_UNUSABLE' };
  expect(await getJson('/readyz')).toEqual({ status: 'degraded', dependencies, partitions });
  expect((await get('/readyz')).status).toBe(200);
  state = { failed: 'STATE_UNUSABLE', partitions };
  expect(await getJson('/readyz')).toEqual({ status: 'not ready', dependencies, partitions });
  expect((await get('/readyz')).status).toBe(503);
});

test('it is ready when all dependencies are', async () => {
  let problem: string | undefined = 'KAFKA_UNREACHABLE';
  const { get, getJson } = await start({ readiness: { kafka: () => problem, state: async () => undefined } });
  expect((await get('/readyz')).status).toBe(503);
  expect(await getJson('/readyz')).toEqual({
    status: 'not ready',
    dependencies: { kafka: 'KAFKA_UNREACHABLE', state: 'ok' },
  });
  problem = undefined;
  expect((await get('/readyz')).status).toBe(200);
  expect(await getJson('/readyz')).toEqual({ status: 'ok', dependencies: { kafka: 'ok', state: 'ok' } });
});

test('a dependency that it can do without for a while is named, and it is ready all the same', async () => {
  let state: DependencyState = 'STATE_UNUSABLE';
  const { get, getJson } = await start({
    readiness: { kafka: () => ({ degraded: 'KAFKA_UNREACHABLE' }), state: () => state },
  });
  expect((await get('/readyz')).status).toBe(503);
  expect(await getJson('/readyz')).toMatchObject({ status: 'not ready' });
  state = undefined;
  expect((await get('/readyz')).status).toBe(200);
  expect(await getJson('/readyz')).toEqual({
    status: 'degraded',
    dependencies: { kafka: 'KAFKA_UNREACHABLE', state: 'ok' },
  });
});

test('a check that throws, at once or later, or never answers, is a dependency that is not ready', async () => {
  const { get, getJson } = await start({
    checkTimeoutMs: 20,
    readiness: {
      coded: () => {
        throw new PipelineError('SINK_UNAVAILABLE', 'retry', 'secret details');
      },
      plain: async () => {
        throw new TypeError('secret details');
      },
      thrown: () => Promise.reject('secret details'),
      silent: () => new Promise(() => {}),
      fine: () => undefined,
    },
  });
  const dependencies = {
    coded: 'SINK_UNAVAILABLE',
    plain: 'TypeError',
    thrown: 'UNKNOWN',
    silent: 'TIMEOUT',
    fine: 'ok',
  };
  expect(await getJson('/readyz')).toEqual({ status: 'not ready', dependencies });
  expect((await get('/readyz')).status).toBe(503);
  expect((await get('/healthz')).status).toBe(200);
});

test('a service that stops is not ready any more, but healthy', async () => {
  const { server, get, getJson } = await start({ readiness: { kafka: () => undefined } });
  server.drain();
  expect((await get('/readyz')).status).toBe(503);
  expect(await getJson('/readyz')).toEqual({ status: 'stopping', dependencies: { kafka: 'ok' } });
  expect((await get('/healthz')).status).toBe(200);
});

test('metrics are Prometheus text with the service and the process', async () => {
  const metrics = createMetrics('ingress');
  new Counter({ name: 'things_total', help: 'Things.', registers: [metrics] }).inc(3);
  const { get } = await start({ metrics });
  const { status, type, body } = await get('/metrics');
  expect([status, type]).toEqual([200, metrics.contentType]);
  expect(body).toContain('things_total{service="ingress"} 3');
  expect(body).toContain('process_cpu_seconds_total');
});

test('what a service tells of its work is JSON; one that tells nothing has no such page', async () => {
  const telling = await start({ status: () => ({ sources: [] }) });
  const { status, type, body } = await telling.get('/status');
  expect([status, type, JSON.parse(body)]).toEqual([200, 'application/json', { sources: [] }]);
  const { get } = await start();
  expect((await get('/status')).status).toBe(404);
});

test('a metric that cannot be read is an answer, not the end', async () => {
  const metrics = new Registry();
  const collect = () => {
    throw new TypeError('broken');
  };
  new Gauge({ name: 'broken', help: 'Broken.', registers: [metrics], collect });
  const { get } = await start({ metrics });
  expect((await get('/metrics')).status).toBe(500);
  expect((await get('/healthz')).status).toBe(200);
});

test('a port that is taken is an error of the start', async () => {
  const { server } = await start();
  await expect(start({ port: server.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

test('closing ends kept connections', async () => {
  const { server, get } = await start();
  await get('/healthz');
  await server.close();
  await expect(get('/healthz')).rejects.toThrow();
});
