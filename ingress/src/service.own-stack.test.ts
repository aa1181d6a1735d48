import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, createMetrics, type RunningService, withAdmin } from '@email-events/core';
import { composeConfig } from '@email-events/core/config';
import type { KafkaStack } from '@email-events/dev/stack';
import { createSigner, type Signer } from '@email-events/esps/accounts';
import { topics } from '@email-events/schemas';
import { ConfigResourceTypes } from 'kafkajs';
import { request } from 'undici';
import { expect, type TestContext, test } from 'vitest';
import { startOwnKafka, waitFor, wholeKafka } from '../../test/harness/stack.ts';
import type { IngressConfig } from './config.ts';
import { ingressService } from './descriptor.ts';
import { startIngress } from './index.ts';
import { makeOutputs, readRaw, Traffic } from './testing/traffic.ts';

const { parse: parseConfig } = composeConfig([ingressService]);

const log = createLogger('ingress-test', 'error');

interface Setting {
  readonly stack: KafkaStack;
  readonly config: IngressConfig;
  readonly signer: Signer;
  readonly spoolDir: string;
}

interface Running {
  readonly service: RunningService;
  readonly traffic: Traffic;
}

/** A broker for this test alone, and settings that make failures come soon. */
async function setUp(context: TestContext, spool: boolean): Promise<Setting> {
  const stack = await startOwnKafka(context);
  const spoolDir = await mkdtemp(join(tmpdir(), 'email-events-spool-'));
  context.onTestFinished(() => rm(spoolDir, { recursive: true, force: true }));
  const signer = await createSigner('sendgrid');
  const config = parseConfig({
    kafka: { brokers: stack.kafka.brokers },
    ingress: {
      port: 0,
      adminPort: 0,
      publishTimeoutMs: 3_000,
      spool: { enabled: spool, dir: spoolDir, afterMs: 500 },
    },
    sources: { shop: { esp: 'sendgrid', secrets: signer.settings.secrets } },
  });
  await makeOutputs(config);
  return { stack, config, signer, spoolDir };
}

async function start(context: TestContext, { config, signer }: Setting): Promise<Running> {
  const service = await startIngress({ config, log, metrics: createMetrics('ingress') });
  const traffic = new Traffic(() => service.ports.http, signer);
  context.onTestFinished(async () => {
    await traffic.end();
    await service.stop();
  });
  return { service, traffic };
}

async function expectNothingMissing({ config }: Setting, traffic: Traffic): Promise<void> {
  await traffic.end();
  const { accepted } = traffic;
  const missing = (found: ReadonlyMap<string, string>) =>
    [...accepted].filter(([requestId, body]) => found.get(requestId) !== body);
  const found = await readRaw(config.kafka, (read) =>
    waitFor('all that was accepted', () => read.size >= accepted.size && missing(read).length === 0),
  );
  expect(missing(found)).toEqual([]);
}

async function readiness(service: RunningService) {
  const answer = await request(`http://127.0.0.1:${service.ports.admin}/readyz`);
  return { code: answer.statusCode, ...((await answer.body.json()) as object) };
}

const ready = async (service: RunningService) => (await readiness(service)).code;

async function metric(service: RunningService, name: string): Promise<number> {
  const answer = await request(`http://127.0.0.1:${service.ports.admin}/metrics`);
  const [, value] = (await answer.body.text()).match(new RegExp(`^${name}(?:{.*?})? (\\S+)$`, 'm')) ?? [];
  return Number(value);
}

async function brokerBack(stack: KafkaStack, how: 'stop' | 'kill' | 'pause'): Promise<void> {
  const kafka = wholeKafka(stack);
  if (how === 'pause') await kafka.resume();
  else await kafka.start();
}

async function brokerAway(stack: KafkaStack, how: 'stop' | 'kill' | 'pause'): Promise<void> {
  const kafka = wholeKafka(stack);
  if (how === 'pause') await kafka.pause();
  else await kafka[how]();
}

/** Gives the topic a smaller limit than the pipeline's, as an operator may do by hand. */
function takeLess({ config }: Setting, bytes: number): Promise<unknown> {
  const configEntries = [{ name: 'max.message.bytes', value: String(bytes) }];
  const resource = { type: ConfigResourceTypes.TOPIC, name: topics.raw, configEntries };
  return withAdmin(config.kafka, (admin) =>
    admin.alterConfigs({ resources: [resource], validateOnly: false }),
  );
}

async function sendOne(service: RunningService, signer: Signer, bytes: number): Promise<number> {
  const { headers, body } = signer.sign({
    body: JSON.stringify([{ filler: 'x'.repeat(bytes) }]),
    at: Date.now(),
  });
  const url = `http://127.0.0.1:${service.ports.http}/webhooks/email-events/shop`;
  const answer = await request(url, { method: 'POST', headers, body });
  await answer.body.dump();
  return answer.statusCode;
}

for (const how of ['stop', 'kill', 'pause'] as const) {
  test(`${how} the broker during traffic: only 200s, ready all the time, and all of it is in Kafka when that is back`, async (context) => {
    const setting = await setUp(context, true);
    const { service, traffic } = await start(context, setting);
    await waitFor('traffic', () => traffic.count(200) > 100);
    await waitFor('ready', async () => (await ready(service)) === 200);

    await brokerAway(setting.stack, how);
    await waitFor('degraded', async () => {
      expect(await readiness(service)).toEqual({
        code: 200,
        status: 'degraded',
        dependencies: { kafka: 'KAFKA_UNREACHABLE', spool: 'ok' },
      });
      return true;
    });
    const before = traffic.count(200);
    await waitFor('accepts', () => traffic.count(200) > before + 500);
    expect(await metric(service, 'email_events_ingress_spool_records')).toBeGreaterThan(400);
    expect(await metric(service, 'email_events_ingress_spool_oldest_seconds')).toBeGreaterThan(0);

    await brokerBack(setting.stack, how);
    await waitFor('ready', async () => ((await readiness(service)) as { status?: string }).status === 'ok');
    // Live traffic goes on while the spool is drained.
    await waitFor('drained', async () => (await metric(service, 'email_events_ingress_spool_records')) === 0);
    await traffic.end();
    await waitFor('everything drained', async () => {
      const spooled = await metric(service, 'email_events_ingress_spool_spooled_total');
      return spooled > 400 && (await metric(service, 'email_events_ingress_spool_drained_total')) === spooled;
    });
    await expectNothingMissing(setting, traffic);
    expect([...traffic.statuses.keys()]).toEqual([200]);
  });
}

test('without a spool: "later" while the broker is away, then well again by itself, and nothing acknowledged is missing', async (context) => {
  const setting = await setUp(context, false);
  const { service, traffic } = await start(context, setting);
  await waitFor('traffic', () => traffic.count(200) > 100);
  await waitFor('ready', async () => (await ready(service)) === 200);

  await brokerAway(setting.stack, 'kill');
  const before = traffic.count(503);
  await waitFor('answers "later"', () => traffic.count(503) > before + 20);
  await waitFor('not ready', async () => (await ready(service)) === 503);
  expect(await readiness(service)).toMatchObject({ dependencies: { kafka: 'KAFKA_UNREACHABLE' } });

  await brokerBack(setting.stack, 'kill');
  const accepted = traffic.count(200);
  await waitFor('accepts again', () => traffic.count(200) > accepted + 200);
  await waitFor('ready', async () => (await ready(service)) === 200);

  await expectNothingMissing(setting, traffic);
  expect([...traffic.statuses.keys()].sort()).toEqual([200, 503]);
  expect(await readdir(setting.spoolDir)).toEqual([]);
});

test('started without a broker it takes requests; stopped, it leaves them to its next start', async (context) => {
  const setting = await setUp(context, true);
  await takeLess(setting, 300_000);
  await wholeKafka(setting.stack).stop();
  const first = await start(context, setting);
  await waitFor('accepts', () => first.traffic.count(200) > 100);
  const tooLarge = await sendOne(first.service, setting.signer, 600_000);
  expect(tooLarge).toBe(200);
  const before = first.traffic.count(200);
  await waitFor('more after it', () => first.traffic.count(200) > before + 100);
  expect(await ready(first.service)).toBe(200);
  await first.traffic.end();
  await first.service.stop();
  await expect(request(`http://127.0.0.1:${first.service.ports.http}/`)).rejects.toMatchObject({
    code: 'ECONNREFUSED',
  });
  expect(await readdir(setting.spoolDir)).toHaveLength(1);
  await wholeKafka(setting.stack).start();
  const second = await start(context, setting);
  await waitFor('accepts', () => second.traffic.count(200) > 100);
  await waitFor('drained', async () => {
    const drained = await metric(second.service, 'email_events_ingress_spool_drained_total');
    return drained >= first.traffic.accepted.size;
  });
  // A request that the topic does not take is kept for the operator to look at, and holds no other back.
  await waitFor('one is set aside', async () => {
    expect(await metric(second.service, 'email_events_ingress_spool_set_aside')).toBe(1);
    return (await metric(second.service, 'email_events_ingress_spool_refused_records_total')) === 1;
  });
  await expectNothingMissing(setting, first.traffic);
  await expectNothingMissing(setting, second.traffic);
  await second.service.stop();
  expect(await readdir(setting.spoolDir)).toEqual(['set-aside']);
});

test('stopped during traffic: nothing but 200 until connections end, and nothing acknowledged is missing', async (context) => {
  const setting = await setUp(context, false);
  const { service, traffic } = await start(context, setting);
  await waitFor('traffic', () => traffic.count(200) > 200);
  const others = traffic.sent - traffic.count(200);
  await service.stop();
  await service.done;
  expect(traffic.sent - traffic.count(200)).toBe(others);
  await expectNothingMissing(setting, traffic);
});
