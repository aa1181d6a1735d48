import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PipelineConfig, pipelineConfig } from '@email-events/cli/services';
import { applyTopics, createLogger } from '@email-events/core';
import type { Stack } from '@email-events/dev/stack';
import { registerSchemas, topicCatalogue, topics } from '@email-events/schemas';
import { type ClickHouse, connect, createClickHouseSink, migrate } from '@email-events/sink-clickhouse';
import { afterAll, beforeAll, expect, type TestContext, test } from 'vitest';
import { eventOf, produceEvents, produceTypedEvents } from '../bench/typed-events.ts';
import { unique, uniqueDatabase } from '../harness/isolation.ts';
import { fileScope, startOwnStack, waitFor, wholeKafka } from '../harness/stack.ts';
import { removePipelineTopics } from '../harness/sweep.ts';

const ROUNDS = 6;
const MAIN = new URL('../../sinks/clickhouse/src/main.ts', import.meta.url).pathname;

const file = fileScope();
let stack: Stack;
beforeAll(async () => {
  stack = await startOwnStack(file.scope);
});
afterAll(() => file.end());

interface World {
  readonly config: PipelineConfig;
  readonly clickhouse: ClickHouse;
  start(): Promise<Service>;
  count(): Promise<number>;
}

interface Service {
  readonly process: ChildProcess;
  readonly port: number;
}

test('killed again and again, by itself and in pairs, it leaves every event in table and rollup once', async (scope) => {
  const { config, count, start, clickhouse } = await makeWorld(scope);
  const perRound = 3_000;
  let produced = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const services = [await start(), ...(round % 2 === 1 ? [await start()] : [])];
    const before = await count();
    const producing = produceTypedEvents(config, perRound, produced);
    produced += perRound;
    await waitFor('some rows of the round', async () => (await count()) > before, 60_000);
    for (const { process } of services) {
      process.kill('SIGKILL');
      await once(process, 'exit');
    }
    await producing;
  }
  await start();
  await waitFor('all rows', async () => (await count()) >= produced, 90_000);
  // Later events prove that nothing of the earlier ones is still on its way.
  await produceTypedEvents(config, 100, produced);
  await waitFor('the proof', async () => (await count()) >= produced + 100, 60_000);
  await expectEachOnce(clickhouse, produced + 100);
}, 400_000);

test('killed in the middle of batches that are of many months, it leaves every event in table and rollup once', async (scope) => {
  const { config, count, start, clickhouse } = await makeWorld(scope);
  const perRound = 600;
  const months = 16;
  let produced = 0;
  for (let round = 0; round < 4; round++) {
    const service = await start();
    const before = await count();
    const seed = produced;
    const producing = produceEvents(config, perRound, (n) => {
      const occurred_at = Date.UTC(2019, (seed + n) % months, 1 + (n % 28));
      return { ...eventOf(seed + n), occurred_at };
    });
    produced += perRound;
    await waitFor('some rows of the round', async () => (await count()) > before, 60_000);
    service.process.kill('SIGKILL');
    await once(service.process, 'exit');
    await producing;
  }
  const last = await start();
  await waitFor('all rows', async () => (await count()) >= produced, 240_000);
  await produceTypedEvents(config, 100, produced);
  await waitFor('the proof', async () => (await count()) >= produced + 100, 60_000);
  await expectEachOnce(clickhouse, produced + 100);
  expect(await metricOf(last, 'email_events_sink_redone_batches_total')).toBeGreaterThan(0);
}, 600_000);

test('ClickHouse killed and started again: readiness says so, rows wait, each arrives once', async (scope) => {
  const { config, count, start, clickhouse } = await makeWorld(scope);
  const service = await start();
  await produceTypedEvents(config, 2_000);
  await waitFor('the first rows', async () => (await count()) >= 2_000, 60_000);
  await waitFor('ready', async () => (await readinessOf(service)).status === 200);
  await stack.component('clickhouse').kill();
  await produceTypedEvents(config, 2_000, 2_000);
  await waitFor('not ready', async () => (await readinessOf(service)).status === 503);
  expect((await readinessOf(service)).body.dependencies).toMatchObject({ kafka: 'ok' });
  await waitFor(
    'retries',
    async () => (await metricOf(service, 'email_events_sink_retries_total')) > 3,
    60_000,
  );
  await stack.component('clickhouse').start();
  await waitFor('all rows', async () => (await count()) >= 4_000, 60_000);
  await waitFor('ready again', async () => (await readinessOf(service)).status === 200);
  await produceTypedEvents(config, 100, 4_000);
  await waitFor('the proof', async () => (await count()) >= 4_100, 60_000);
  await expectEachOnce(clickhouse, 4_100);
  const [letters] = await clickhouse.query<{ n: string }>('SELECT count() AS n FROM dead_letters');
  expect(letters?.n).toBe('0');
}, 300_000);

test('an insert that was answered by nobody is repeated at a server that was started again: rows and rollups have it once', async (scope) => {
  const { config, clickhouse, count } = await makeWorld(scope);
  const sink = createClickHouseSink(connect(config.sinks.clickhouse), createLogger('crash-test', 'silent'));
  scope.onTestFinished(() => sink.close());
  const records = Array.from({ length: 40 }, (_, n) => {
    const value = eventOf(n);
    return { topic: topics.events(value.type), key: value.recipient, value, timestamp: 0, attempts: 0 };
  });
  const write = () => sink.write({ id: 'repeated', records }, new AbortController().signal);
  await write();
  await expectEachOnce(clickhouse, records.length);
  for (const end of ['kill', 'stop'] as const) {
    await stack.component('clickhouse')[end]();
    await stack.component('clickhouse').start();
    await waitFor('it answers', async () => (await count()) === records.length);
    await write();
    await expectEachOnce(clickhouse, records.length);
  }
}, 120_000);

test('the broker killed and started again: it goes on by itself, each event once', async (scope) => {
  const { config, count, start, clickhouse } = await makeWorld(scope);
  await start();
  await produceTypedEvents(config, 2_000);
  await waitFor('some rows', async () => (await count()) > 0, 60_000);
  await wholeKafka(stack).kill();
  await wholeKafka(stack).start();
  await produceTypedEvents(config, 2_000, 2_000);
  await waitFor('all rows', async () => (await count()) >= 4_000, 90_000);
  await expectEachOnce(clickhouse, 4_000);
}, 300_000);

/** Topics as if they were new, and a database and a group of the test's own, on the stack of the file. */
async function makeWorld(scope: TestContext): Promise<World> {
  await removePipelineTopics(stack);
  const dir = await mkdtemp(join(tmpdir(), 'sink-clickhouse-'));
  scope.onTestFinished(() => rm(dir, { recursive: true }));
  const settings = {
    kafka: { brokers: stack.kafka.brokers, sessionTimeoutMs: 6_000, groupPrefix: unique('crash') },
    registry: { url: stack.registry.url },
    topics: { partitions: 3 },
    sinks: {
      clickhouse: {
        ...{ url: stack.clickhouse.url, database: uniqueDatabase('crash') },
        ...{ adminPort: 0, batchRows: 150, flushMs: 50 },
      },
    },
    log: { level: 'error' },
  };
  const config = pipelineConfig.parse(settings);
  const configFile = join(dir, 'pipeline.yaml');
  await writeFile(configFile, JSON.stringify(settings));
  await applyTopics(config.kafka, topicCatalogue(config.topics));
  await registerSchemas({ url: config.registry.url });
  await migrate(config.sinks.clickhouse);
  const clickhouse = connect(config.sinks.clickhouse);
  scope.onTestFinished(() => clickhouse.close());
  return {
    config,
    clickhouse,
    start: () => startService(configFile, scope),
    count: async () => {
      const [found] = await clickhouse.query<{ n: string }>('SELECT count() AS n FROM email_events');
      return Number(found?.n);
    },
  };
}

function startService(configFile: string, scope: TestContext): Promise<Service> {
  const child = fork(MAIN, ['--config', configFile], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  scope.onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the sink ended with ${code}`)));
    child.once('message', (message: { ports: { admin: number } }) =>
      resolve({ process: child, port: message.ports.admin }),
    );
  });
}

async function expectEachOnce(clickhouse: ClickHouse, events: number): Promise<void> {
  // A view gets its rows right after the table.
  await waitFor('the rollup', async () => {
    const [rollup] = await clickhouse.query<{ n: string }>(
      'SELECT sum(events) AS n FROM email_events_hourly',
    );
    return Number(rollup?.n) >= events;
  });
  const [table] = await clickhouse.query<{ n: string; ids: string }>(
    'SELECT count() AS n, uniqExact(event_id) AS ids FROM email_events',
  );
  expect(table).toEqual({ n: String(events), ids: String(events) });
  const byType = (from: string, what: string) =>
    clickhouse.query(`SELECT type, ${what} AS n FROM ${from} GROUP BY type ORDER BY type`);
  expect(await byType('email_events_hourly', 'sum(events)')).toEqual(await byType('email_events', 'count()'));
}

async function readinessOf({ port }: Service) {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`);
  return { status: response.status, body: (await response.json()) as { dependencies: object } };
}

async function metricOf({ port }: Service, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  let sum = 0;
  for (const line of text.split('\n')) {
    if (line.startsWith(`${name}{`)) sum += Number(line.slice(line.lastIndexOf(' ')));
  }
  return sum;
}
