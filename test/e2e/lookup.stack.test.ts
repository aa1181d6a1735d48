import { createLogger, Registry, type RunningService, withAdmin } from '@email-events/core';
import { startEvents, startNormalize } from '@email-events/processors';
import { partitionOf, type Suppression, topics } from '@email-events/schemas';
import { startLookup } from '@email-events/sink-lookup';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Pipeline, startPipeline } from '../harness/pipeline.ts';
import { fileScope, vacantStack, waitFor } from '../harness/stack.ts';
import { startTcpProxy, type TcpProxy } from '../harness/tcp-proxy.ts';
import { rawMessage, sendgridItem } from './world.ts';

// Look-ups over the real topic; the registry is behind a proxy, so that a state can be made to wait.

const TOKEN = 'the-token-of-this-test-0123456789';
const PARTITIONS = 2;
const file = fileScope();
let world: Pipeline;
let registry: TcpProxy;

beforeAll(async () => {
  const stack = await vacantStack(file.scope);
  registry = await startTcpProxy(stack.registry.url);
  file.scope.onTestFinished(() => registry.stop());
  world = await startPipeline(file.scope, stack, {
    name: 'lookup',
    settings: {
      topics: { partitions: PARTITIONS, rawPartitions: PARTITIONS },
      sinks: { lookup: { port: 0, adminPort: 0, tokens: [TOKEN] } },
    },
  });
  await world.start(startNormalize);
  await world.start(startEvents);
}, 120_000);
afterAll(() => file.end());

/** An instance in this process. */
class Lookup {
  /** What it logged of warnings and errors. */
  readonly lines: readonly string[];
  private readonly service: RunningService;
  private readonly metrics: Registry;

  private constructor(service: RunningService, metrics: Registry, lines: readonly string[]) {
    this.service = service;
    this.metrics = metrics;
    this.lines = lines;
  }

  static async start(): Promise<Lookup> {
    const metrics = new Registry();
    const lines: string[] = [];
    const note = (fields: object) => void lines.push(JSON.stringify(fields));
    const log = Object.assign(Object.create(createLogger('test', 'silent')), { error: note, warn: note });
    const config = { ...world.config, registry: { ...world.config.registry, url: registry.url } };
    const started = new Lookup(await startLookup({ config, log, metrics }), metrics, lines);
    file.scope.onTestFinished(() => started.stop());
    return started;
  }

  async ask(query: { readonly [name: string]: string }): Promise<Answered> {
    const url = `http://127.0.0.1:${this.service.ports.http}/v1/may-mail?${new URLSearchParams(query)}`;
    const response = await fetch(url, { headers: { authorization: `Bearer ${TOKEN}` } });
    return { status: response.status, body: await response.json() };
  }

  async readiness(): Promise<{ status: number; dependencies: { [name: string]: string } }> {
    const response = await fetch(`http://127.0.0.1:${this.service.ports.admin}/readyz`);
    const { dependencies } = (await response.json()) as { dependencies: { [name: string]: string } };
    return { status: response.status, dependencies };
  }

  async recipients(): Promise<number> {
    return Number(/^email_events_lookup_recipients (\d+)$/m.exec(await this.metrics.metrics())?.[1]);
  }

  stop(): Promise<void> {
    return this.service.stop();
  }
}

interface Answered {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: the test says what it expects.
  readonly body: any;
}

const LONG_MS = 90_000;
const TEST_MS = 300_000;
const ready = (lookup: Lookup) =>
  waitFor('the look-ups are ready', async () => (await lookup.readiness()).status === 200, LONG_MS);
const becomes = (lookup: Lookup, query: { readonly [name: string]: string }, mail: boolean) =>
  waitFor(
    `${query.address} is ${mail ? 'free' : 'suppressed'}`,
    async () => (await lookup.ask(query)).body.mail === mail,
    LONG_MS,
  );

const send = (items: readonly object[]) => world.produce(topics.raw, [rawMessage(items)]);
const bounce = (email: string) =>
  sendgridItem('bounce', { email, type: 'bounce', reason: '550 5.1.1 no such user', status: '5.1.1' });

/** A record as it stands on the topic, past `events`. */
const put = (recipient: string, value: Buffer | null) =>
  world.produce(topics.suppressions, [
    { key: recipient, value, partition: partitionOf(recipient, PARTITIONS) },
  ]);

async function encoded(recipient: string, more: Partial<Suppression> = {}): Promise<Buffer> {
  const encoder = await world.codec.encoder<Suppression>(topics.suppressions, 'suppression');
  return encoder.encode({
    ...{ recipient, suppressed: false, reasons: [], changed_at: 1, event_id: 'e', revision: Date.now() },
    ...more,
  });
}

test('events go through to the answer; a second instance, and one that starts later, say the same', {
  timeout: TEST_MS,
}, async () => {
  const [first, second] = [await Lookup.start(), await Lookup.start()];
  await Promise.all([ready(first), ready(second)]);
  expect((await first.ask({ address: 'ann@example.com' })).body).toMatchObject({
    mail: true,
    revision: null,
  });
  await send([
    bounce('Ann@Example.com'),
    sendgridItem('spamreport', { email: 'bob@example.com' }),
    sendgridItem('group_unsubscribe', { email: 'cid@example.com', asm_group_id: 42 }),
    sendgridItem('delivered', { email: 'dan@example.com' }),
  ]);
  for (const lookup of [first, second])
    for (const address of ['ANN@example.com', ' bob@example.com ']) await becomes(lookup, { address }, false);
  const { body } = await first.ask({ address: 'ann@example.com' });
  expect(body).toMatchObject({
    reasons: [{ reason: 'hard_bounce', scope: 'all', esp: 'sendgrid', source: 'main' }],
    freshness: { asOf: expect.stringMatching(/Z$/), behind: expect.any(Number) },
  });
  expect(body.revision).toBeGreaterThan(1_700_000_000_000);
  await becomes(first, { address: 'cid@example.com', stream: '42' }, false);
  expect((await first.ask({ address: 'cid@example.com', stream: '43' })).body.mail).toBe(true);
  expect((await first.ask({ address: 'cid@example.com' })).body.mail).toBe(true);
  expect((await first.ask({ address: 'dan@example.com' })).body.mail).toBe(true);

  // An order of an operator goes the same way. A second later what is known is not older.
  expect(
    (await world.command('suppressions', 'lift', 'ann@example.com', '--why', 'wrote to us', '--wait', '90'))
      .code,
  ).toBe(0);
  await becomes(second, { address: 'ann@example.com' }, true);
  await waitFor(
    'the end of the topic',
    async () => (await first.ask({ address: 'ann@example.com' })).body.freshness.behind === 0,
    LONG_MS,
  );
  await first.stop();
  const third = await Lookup.start();
  await ready(third);
  expect((await third.ask({ address: 'ann@example.com' })).body).toMatchObject({ mail: true });
  expect((await third.ask({ address: 'bob@example.com' })).body).toMatchObject({ mail: false });
  const { groups } = await withAdmin(world.config.kafka, (admin) => admin.listGroups());
  const prefix = world.config.kafka.groupPrefix;
  const own = groups.map(({ groupId }) => groupId).filter((name) => name.startsWith(prefix));
  expect(own.sort()).toEqual([`${prefix}.events`, `${prefix}.normalize`]);
  await Promise.all([second.stop(), third.stop()]);
});

test('what is erased is forgotten; what cannot be read is never answered with yes, and stops nothing', {
  timeout: TEST_MS,
}, async () => {
  await put('erased@example.com', await encoded('erased@example.com', { suppressed: true }));
  const lookup = await Lookup.start();
  await ready(lookup);
  expect((await lookup.ask({ address: 'erased@example.com' })).body.mail).toBe(false);
  const before = await lookup.recipients();
  await put('erased@example.com', null);
  await becomes(lookup, { address: 'erased@example.com' }, true);
  expect((await lookup.ask({ address: 'erased@example.com' })).body.revision).toBeNull();
  expect(await lookup.recipients()).toBe(before - 1);

  await put('garbled@example.com', await encoded('garbled@example.com'));
  await put('garbled@example.com', Buffer.from('no avro'));
  await put(
    'garbled@example.com',
    Buffer.concat([Buffer.from([0, 0x7f, 0, 0, 1]), Buffer.from('of an unknown schema')]),
  );
  await becomes(lookup, { address: 'garbled@example.com' }, false);
  expect((await lookup.ask({ address: 'garbled@example.com' })).body).toMatchObject({
    reasons: [{ reason: 'unreadable', scope: 'all' }],
  });
  expect(await lookup.readiness()).toMatchObject({
    status: 200,
    dependencies: { records: 'LOOKUP_RECORD_UNREADABLE' },
  });
  expect(lookup.lines.join()).toContain('LOOKUP_RECORD_UNREADABLE');
  expect(lookup.lines.join()).not.toContain('garbled@');
  await put('garbled@example.com', await encoded('garbled@example.com'));
  await becomes(lookup, { address: 'garbled@example.com' }, true);
  await waitFor(
    'it is well again',
    async () => (await lookup.readiness()).dependencies.records === 'ok',
    LONG_MS,
  );
  await lookup.stop();
});

test('nothing is answered before everything is read that was there at the start', {
  timeout: TEST_MS,
}, async () => {
  await put('there@example.com', await encoded('there@example.com', { suppressed: true }));
  await registry.stop();
  const lookup = await Lookup.start();
  await waitFor(
    'it waits for the schema',
    async () => (await lookup.readiness()).dependencies.registry === 'REGISTRY_UNREACHABLE',
    LONG_MS,
  );
  expect(await lookup.readiness()).toMatchObject({ status: 503, dependencies: { states: 'LOOKUP_LOADING' } });
  for (const address of ['there@example.com', 'nobody@example.com'])
    expect(await lookup.ask({ address })).toMatchObject({ status: 503, body: { code: 'LOOKUP_LOADING' } });
  await registry.start();
  await ready(lookup);
  expect((await lookup.ask({ address: 'there@example.com' })).body.mail).toBe(false);
  await lookup.stop();
});
