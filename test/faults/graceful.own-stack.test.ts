import { setTimeout as delay } from 'node:timers/promises';
import { consumerGroups } from '@email-events/cli/services';
import { readTopic } from '@email-events/core';
import { createRandom } from '@email-events/dev/simulate';
import type { Stack } from '@email-events/dev/stack';
import { topics } from '@email-events/schemas';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Pipeline, startPipeline } from '../harness/pipeline.ts';
import type { LaunchedService, ServiceName } from '../harness/service-process.ts';
import { fileScope, startOwnStack, waitFor } from '../harness/stack.ts';
import type { GroupPosition } from '../src/invariants.ts';
import { Feed, HangingCrm } from './graceful-feed.ts';
import { readPositions, watchedOf } from './positions.ts';

const SEED = Number(process.env.GRACEFUL_SEED ?? 1);
const random = createRandom(SEED);
/** The longest stop by core/README.md, and a moment for the process to end. */
const STOP_BOUND_MS = 27_000;
const SINKS = ['sink-clickhouse', 'sink-crm'] as const;
const SERVICES = ['normalize', 'events', ...SINKS] as const;

const file = fileScope();
const feed = new Feed();
const crm = new HangingCrm();
let stack: Stack;
let world: Pipeline;
const running = new Map<ServiceName, LaunchedService>();

beforeAll(async () => {
  const url = await crm.listen();
  file.scope.onTestFinished(() => crm.close());
  const { esp, settings } = feed.signer;
  stack = await startOwnStack(file.scope);
  world = await startPipeline(file.scope, stack, {
    name: 'graceful',
    settings: {
      kafka: { sessionTimeoutMs: 6_000 },
      topics: { rawPartitions: 3, partitions: 3 },
      sinks: {
        crm: { url, adminPort: 0, secrets: [`whsec_${Buffer.alloc(24, 7).toString('base64')}`] },
      },
      ingress: { publishTimeoutMs: 5_000 },
      sources: { sendgrid: { esp, ...settings } },
    },
  });
  await startAll(SERVICES);
  const ports = await (await start('ingress')).ready;
  feed.start(ports.http ?? 0);
}, 240_000);

afterAll(() => file.end(), 60_000);

// After each test, every acknowledged event comes out at every end, once.
afterEach(async () => {
  const all = new Set(feed.acknowledged);
  let typed = new Map<string, number>();
  const missing = () => [...all].filter((recipient) => !typed.has(recipient));
  await waitFor(
    'all on the typed topic',
    async () => {
      typed = await typedRecipients();
      return missing().length === 0;
    },
    90_000,
  );
  expect([...typed.values()].filter((count) => count !== 1)).toEqual([]);
  await waitFor('all in ClickHouse', async () => (await rows()).n >= all.size, 60_000);
  const { n, distinct } = await rows();
  expect(n).toBe(distinct);
  await waitFor('all in the CRM', () => [...all].every((recipient) => crm.written.has(recipient)), 60_000);
}, 180_000);

test('in the middle of traffic, at any moment', async (context) => {
  const times: string[] = [];
  for (let round = 0; round < 2; round++) {
    for (const service of SERVICES) {
      await delay(random.int(0, 800));
      times.push(`${service} ${await stop(service)}`);
      await start(service);
    }
  }
  await context.annotate(`SIGTERM to exit, ms: ${times.join(', ')}`);
});

test('while it starts, and while it restores its state', async (context) => {
  const times: string[] = [];
  await Promise.all(
    SERVICES.map(async (service, s) => {
      const moments = random.fork(s);
      await stop(service);
      for (let i = 0; i < 2; i++) {
        // Another disk each time: the state is restored from the changelog.
        const starting = world.launch(service, { name: `${service}-${i}` });
        await delay(moments.int(200, 3_000));
        times.push(`${service} ${await endedEarly(starting)}`);
      }
      await start(service);
    }),
  );
  await context.annotate(`SIGTERM to exit, ms: ${times.join(', ')}`);
});

for (const how of ['frozen', 'stopped'] as const) {
  test(`while Kafka is ${how}`, async (context) => {
    const kafka = stack.component('kafka');
    if (how === 'frozen') await kafka.pause();
    else await kafka.stop();
    const times: string[] = [];
    try {
      await delay(random.int(0, 1_500));
      times.push(
        ...(await Promise.all(SERVICES.map(async (service) => `${service} ${await stop(service)}`))),
      );
      const starting = world.launch('events', { name: 'events-away' });
      await delay(2_000);
      times.push(`events, which was starting, ${await endedEarly(starting)}`);
    } finally {
      if (how === 'frozen') await kafka.resume();
      else await kafka.start();
      await context.annotate(`SIGTERM to exit, ms: ${times.join(', ')}`);
      await startAll(SERVICES);
    }
  }, 180_000);
}

test('while ClickHouse hangs and the CRM never answers', async (context) => {
  const component = stack.component('clickhouse');
  await component.pause();
  crm.hang();
  const times: string[] = [];
  try {
    await waitFor('calls are held', () => crm.held > 0);
    times.push(...(await Promise.all(SINKS.map(async (service) => `${service} ${await stop(service)}`))));
  } finally {
    await component.resume();
    crm.recover();
    await context.annotate(`SIGTERM to exit, ms: ${times.join(', ')}`);
    await startAll(SINKS);
  }
}, 120_000);

test('one instance after the other, under load: the others have its partitions before its session is over', async (context) => {
  const times: string[] = [];
  await Promise.all(
    SERVICES.map(async (service) => {
      // Twice, so that who leaves is one of the patient ones.
      for (const name of [`${service}-b`, `${service}-c`]) times.push(await replace(service, name));
    }),
  );
  await context.annotate(`SIGTERM to exit + to the other having caught up, ms: ${times.join(', ')}`);
}, 180_000);

/** How long it took to go, and until the other had dealt with all that there was. */
async function replace(service: ServiceName, name: string): Promise<string> {
  const leaving = running.get(service);
  const { admin } = await (await start(service, name, PATIENT)).ready;
  await waitFor('ready', async () => (await fetch(`http://127.0.0.1:${admin}/readyz`)).ok);
  const watched = watchedOf(world.config);
  const mark = await readPositions(watched);
  const end = await leaving?.terminate(STOP_BOUND_MS);
  expect(end).toMatchObject({ code: 0 });
  const gone = performance.now();
  await waitFor(`${service} has caught up`, async () => {
    const now = await readPositions(watched);
    return mark.filter(isOf(service)).every((of) => isPast(now, of));
  });
  return `${service} ${end?.ms} + ${Math.round(performance.now() - gone)}`;
}

/** Whose partitions would be waited for longer than the test does, if it did not say that it leaves. */
const PATIENT = { EMAIL_EVENTS_KAFKA_SESSION_TIMEOUT_MS: '90000' };

function isOf(service: ServiceName): (position: GroupPosition) => boolean {
  const group = consumerGroups(world.config).find((entry) => entry.service === service)?.group;
  if (group === undefined) throw new Error(`no group of ${service}`);
  return (position) => position.group === group;
}

const isPast = (now: readonly GroupPosition[], mark: GroupPosition) =>
  now.some(
    ({ group, topic, partition, committed }) =>
      group === mark.group &&
      topic === mark.topic &&
      partition === mark.partition &&
      (committed ?? 0n) >= mark.end,
  );

async function start(
  service: ServiceName,
  name?: string,
  env?: { readonly [name: string]: string },
): Promise<LaunchedService> {
  const started = world.launch(service, { name: name ?? service, env });
  running.set(service, started);
  await started.ready;
  return started;
}

const startAll = (services: readonly ServiceName[]) => Promise.all(services.map((service) => start(service)));

/** Milliseconds that it took. */
async function stop(service: ServiceName): Promise<number> {
  const { code, signal, ms } = (await running.get(service)?.terminate(STOP_BOUND_MS)) ?? {};
  expect({ service, code, signal }).toEqual({ service, code: 0, signal: null });
  return ms ?? 0;
}

/** Until it has read its configuration a signal ends it as the system does. */
async function endedEarly(starting: LaunchedService): Promise<number> {
  const { code, signal, ms } = await starting.terminate(STOP_BOUND_MS);
  expect([0, 'SIGTERM']).toContain(signal ?? code);
  return ms;
}

/** How many records each recipient has on the typed topic. */
async function typedRecipients(): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  await readTopic(world.config.kafka, {
    topics: [topics.events('bounced')],
    from: 'beginning',
    onRecord({ key }) {
      const recipient = key?.toString() ?? '';
      found.set(recipient, (found.get(recipient) ?? 0) + 1);
    },
  });
  return found;
}

async function rows(): Promise<{ n: number; distinct: number }> {
  const [row] = await world.clickhouse.query<{ n: string; distinct: string }>(
    'SELECT count() AS n, uniqExact(event_id) AS distinct FROM email_events',
  );
  return { n: Number(row?.n), distinct: Number(row?.distinct) };
}
