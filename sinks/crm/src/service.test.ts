import {
  Counter,
  type Logger,
  PipelineError,
  Registry,
  type RunningSink,
  type SinkRunnerOptions,
} from '@email-events/core';
import { composeConfig } from '@email-events/core/config';
import { consumerGroupsOf } from '@email-events/core/service';
import type { Suppression } from '@email-events/schemas';
import { afterEach, expect, test, vi } from 'vitest';
import { crmSink } from './descriptor.ts';
import { type ConsumerParts, startCrmSink } from './service.ts';

// The runner is played: what concerns Kafka is in test/contracts/crm.

const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
const OTHER = { url: 'http://127.0.0.1:1/other', secrets: [SECRET] };
const config = composeConfig([crmSink]).parse({
  sinks: { crm: { adminPort: 0, secrets: [SECRET], others: { news: OTHER, shop: OTHER } } },
});

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

interface Played {
  readonly options: SinkRunnerOptions<Suppression>;
  /** Why it does not work. */
  problem: string | undefined;
  readonly stop: () => Promise<void>;
  fail(code: 'KAFKA_READ_STALLED'): void;
}

/** Runners by consumer, newest last. `refuse` throws for one that cannot start. */
async function setUp(refuse: (consumer: string, run: number) => void = () => {}, of = config) {
  const runs = new Map<string, Played[]>();
  const run: NonNullable<ConsumerParts['run']> = async (options) => {
    const before = runs.get(options.name) ?? [];
    refuse(options.name, before.length);
    const { promise: done, reject, resolve } = Promise.withResolvers<void>();
    const played: Played = {
      ...{ options, problem: undefined, stop: vi.fn(async () => resolve()) },
      fail: (code) => reject(new PipelineError(code, 'fatal', 'as the test wants it')),
    };
    runs.set(options.name, [...before, played]);
    new Counter({ name: 'runs', help: 'Runs.', registers: [options.metrics] });
    return {
      ...{ groupId: options.name, stop: played.stop, done, isCurrent: () => true },
      readiness: {
        ...{ kafka: () => played.problem, sink: async () => undefined },
        ...{ registry: () => undefined, lanes: () => undefined },
      },
    } satisfies RunningSink;
  };
  const log = { info() {}, warn() {}, error() {} } as unknown as Logger;
  Object.assign(log, { child: () => log });
  const context = { config: of, log, metrics: new Registry() };
  const service = await startCrmSink(context, {
    ...{ run, again: { firstMs: 1, longestMs: 1 } },
    runEngagement: run as unknown as NonNullable<ConsumerParts['runEngagement']>,
  });
  cleanups.push(() => service.stop());
  const ask = async (path: string) => fetch(`http://127.0.0.1:${service.ports.admin}${path}`);
  const ready = async () => {
    const answer = await ask('/readyz');
    return { code: answer.status, ...((await answer.json()) as { status: string; dependencies: object }) };
  };
  const newest = (consumer: string): Played => {
    const played = runs.get(consumer)?.at(-1);
    if (!played) throw new Error(`no ${consumer}`);
    return played;
  };
  return { service, runs, newest, ready, metrics: async () => (await ask('/metrics')).text() };
}

const NAMES = ['sink-crm', 'sink-crm-news', 'sink-crm-shop'];

test('each CRM has a consumer, a group and dead letters of its own name', async () => {
  const { runs, ready } = await setUp();
  expect([...runs.keys()]).toEqual(NAMES);
  const { code, dependencies } = await ready();
  expect(code).toBe(200);
  const checks = ['kafka', 'sink', 'registry', 'lanes'];
  expect(Object.keys(dependencies)).toEqual([
    ...checks,
    ...['news', 'shop'].flatMap((name) => checks.map((check) => `${name}.${check}`)),
  ]);
});

test('metrics of the section itself are as they were; those of the others carry their name', async () => {
  const { metrics } = await setUp();
  const lines = (await metrics()).split('\n');
  /** Labels of each sample of a metric, in the order of their names. */
  const labelsOf = (metric: string) =>
    lines.flatMap((line) => {
      const [, labels] = new RegExp(`^${metric}\\{(.*)\\} 0$`).exec(line) ?? [];
      return labels === undefined ? [] : [labels.split(',').sort().join(' ')];
    });
  expect(labelsOf('runs')).toEqual([
    'service="sink-crm"',
    'crm="news" service="sink-crm"',
    'crm="shop" service="sink-crm"',
  ]);
  expect(lines.filter((line) => line.startsWith('# HELP runs'))).toHaveLength(1);
  expect(labelsOf('email_events_crm_refused')).toEqual([
    'crm="http" service="sink-crm"',
    'crm="news" service="sink-crm"',
    'crm="shop" service="sink-crm"',
  ]);
});

test('one that does not work makes the service degraded, all of them make it not ready', async () => {
  const { newest, ready } = await setUp();
  newest('sink-crm-news').problem = 'KAFKA_GROUP_LOST';
  expect(await ready()).toMatchObject({
    ...{ code: 200, status: 'degraded' },
    dependencies: { kafka: 'ok', 'news.kafka': 'KAFKA_GROUP_LOST', 'shop.kafka': 'ok' },
  });
  for (const name of NAMES) newest(name).problem = 'KAFKA_GROUP_LOST';
  expect(await ready()).toMatchObject({ code: 503, status: 'not ready' });
});

test('one that fails is stopped and started again; the others are not touched', async () => {
  const { newest, runs, ready } = await setUp();
  const first = newest('sink-crm-news');
  first.fail('KAFKA_READ_STALLED');
  await vi.waitFor(() => expect(runs.get('sink-crm-news')).toHaveLength(2));
  expect(first.stop).toHaveBeenCalled();
  expect(runs.get('sink-crm')).toHaveLength(1);
  expect(newest('sink-crm').stop).not.toHaveBeenCalled();
  await vi.waitFor(async () => expect(await ready()).toMatchObject({ status: 'ok' }));
});

test('one that cannot start is tried again until it can', async () => {
  const refused = new PipelineError('KAFKA_READ_STALLED', 'fatal', 'no right to its group');
  let tries = 0;
  const { runs, ready } = await setUp((name) => {
    if (name === 'sink-crm-shop' && ++tries < 4) throw refused;
  });
  expect([...runs.keys()]).toEqual(expect.arrayContaining(['sink-crm', 'sink-crm-news']));
  await vi.waitFor(() => expect(runs.has('sink-crm-shop')).toBe(true));
  await vi.waitFor(async () => expect(await ready()).toMatchObject({ status: 'ok' }));
  expect(tries).toBe(4);
});

test('when none can start, the service does not', async () => {
  const refused = new PipelineError('KAFKA_READ_STALLED', 'fatal', 'no');
  await expect(
    setUp(() => {
      throw refused;
    }),
  ).rejects.toBe(refused);
});

test('when none works any more, the service ends with the error of the last one', async () => {
  let open = true;
  const { service, newest } = await setUp((_name, before) => {
    if (before > 0 || !open) throw new PipelineError('KAFKA_READ_STALLED', 'fatal', 'still');
  });
  open = false;
  for (const name of NAMES) newest(name).fail('KAFKA_READ_STALLED');
  await expect(service.done).rejects.toMatchObject({ code: 'KAFKA_READ_STALLED' });
});

test('a consumer that is started again goes on with the calls that it has made already', async () => {
  const limited = composeConfig([crmSink]).parse({
    sinks: { crm: { adminPort: 0, secrets: [SECRET], callsPerSecond: 4 } },
  });
  const { newest, runs, metrics } = await setUp(() => {}, limited);
  newest('sink-crm').options.onShare?.(0.5);
  expect(await metrics()).toContain('email_events_crm_call_limit{crm="http",service="sink-crm"} 0.99');
  newest('sink-crm').fail('KAFKA_READ_STALLED');
  await expect.poll(() => runs.get('sink-crm')?.length).toBe(2);
  // Not the whole budget anew: the share of before, until it is told another.
  expect(await metrics()).toContain('email_events_crm_call_limit{crm="http",service="sink-crm"} 0.99');
});

test('engagement has a consumer of its own for each CRM that has it, and no more than degrades the service', async () => {
  const engaged = { ...OTHER, options: { engagementUrl: 'http://127.0.0.1:1/engagement' }, engagement: {} };
  const { others: _others, ...own } = config.sinks.crm ?? { others: {} };
  const of = composeConfig([crmSink]).parse({
    sinks: { crm: { ...own, secrets: [SECRET], others: { news: engaged } } },
  });
  const { newest, ready, metrics } = await setUp(() => {}, of);
  const { options } = newest('sink-crm-news.engagement');
  expect(options.topics).toEqual([
    ...['delivered', 'opened', 'clicked'].map((type) => `email.events.${type}`),
    'email.suppressions',
  ]);
  newest('sink-crm-news.engagement').problem = 'KAFKA_NOT_JOINED';
  const { code, status, dependencies } = await ready();
  expect([code, status]).toEqual([200, 'degraded']);
  expect(dependencies).toMatchObject({ 'news.engagement.kafka': 'KAFKA_NOT_JOINED' });
  expect(await metrics()).toContain('crm="news.engagement"');
  expect(consumerGroupsOf(crmSink, 'shop', of).map(({ group, topics }) => [group, topics.length])).toEqual([
    ['shop-sink-crm', 2],
    ['shop-sink-crm-news', 2],
    ['shop-sink-crm-news.engagement', 5],
  ]);
});
