import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import {
  deadLetterKey,
  deadLetterOf,
  encodeReplay,
  keyedId,
  pseudonymsOf,
  REPLAY_HEADER,
  readTopic,
  withAdmin,
} from '@email-events/core';
import { type Alert, type DeadLetter, type EmailEvent, topics } from '@email-events/schemas';
import { connect, storedAs } from '@email-events/sink-clickhouse';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { unique, uniqueDatabase } from '../harness/isolation.ts';
import type { Message, Pipeline, Started } from '../harness/pipeline.ts';
import { promtool } from '../harness/prometheus.ts';
import { commitOffsets, fileScope, waitFor } from '../harness/stack.ts';
import { describedMetrics } from '../src/declared-metrics.ts';
import { metricsIn, undeclared } from '../src/metrics-page.ts';
import { emitAsOther, optOut } from './opt-outs.ts';
import { rawMessage, SERVICES, sendgridItem, startWorld } from './world.ts';

const file = fileScope();
const [normalize, events, sink] = SERVICES;
const DAY_MS = 86_400_000;
let world: Pipeline;
let runningEvents: Started;
const ALERT_SECRET = `whsec_${Buffer.alloc(24, 3).toString('base64')}`;
/** What the receiver of alerts was told, in order. */
const posted: Alert[] = [];
beforeAll(async () => {
  const url = await alertReceiver();
  world = await startWorld(file.scope, {
    erasure: { keys: ['the-key-of-this-test-0123456789-0123456789'] },
    alerts: {
      ...{ adminPort: 0, evaluateMs: 500, minVolume: 40, resolveMinutes: 0 },
      http: { url, secrets: [ALERT_SECRET] },
    },
  });
}, 120_000);
afterAll(() => file.end());

const open = (name: string) => sendgridItem('open', { email: `${name}@example.com` });
const backfill = (...args: string[]) => world.command('backfill', '--from', '1d', ...args);

async function namesInClickHouse(): Promise<string[]> {
  const rows = await world.clickhouse.query<{ recipient: string }>('SELECT recipient FROM email_events');
  return rows.map(({ recipient }) => recipient.split('@')[0] ?? '').sort();
}

async function namesOnTopic(): Promise<string[]> {
  const decoder = world.codec.decoder<EmailEvent>('opened');
  const names: string[] = [];
  await readTopic(world.config.kafka, {
    topics: [topics.events('opened')],
    from: 'beginning',
    onRecord: async ({ value }) => {
      if (value === null || value.toString() === 'old') return;
      await decoder.load([value]);
      names.push(decoder.decode(value).recipient.split('@')[0] ?? '');
    },
  });
  return names.sort();
}

/** Requests that a version handled which made nothing of them: its group has passed them. */
async function passedOver(messages: readonly Message[]): Promise<number[]> {
  const offsets = await world.produce(
    topics.raw,
    messages.map((message) => ({ ...message, partition: 1 })),
  );
  const { kafka } = world.config;
  await commitOffsets(kafka, `${kafka.groupPrefix}.normalize`, topics.raw, [
    { partition: 1, offset: String(Math.max(...offsets) + 1) },
  ]);
  return offsets;
}

test('while the sink is behind nobody can know what came out, so nothing is done', async () => {
  const old = { value: Buffer.from('old'), timestamp: Date.now() - 2 * DAY_MS };
  await world.produce(topics.events('opened'), [old]);
  const { code, err } = await backfill('--dry-run');
  expect([code, err]).toEqual([1, expect.stringContaining('BACKFILL_SINK_BEHIND')]);
});

test('a dry run tells new events from known ones and from dead letters', async () => {
  const [late, later, readable] = [open('late'), open('later'), open('readable')];
  await world.produce(topics.raw, [rawMessage([open('one'), { event: 'open' }, open('two')])]);
  // The ESP sent two of them twice.
  const mended = rawMessage([readable]);
  const [, , place = 0] = await passedOver([rawMessage([late, later]), rawMessage([later, late]), mended]);
  await writeLetter(mended, place);
  await world.start(normalize);
  runningEvents = await world.start(events);
  await world.start(sink);
  await waitFor('the first events', async () => (await namesInClickHouse()).length === 2, 60_000);
  await waitFor('the sink has caught up', async () => (await backfill('--dry-run')).code === 0);
  const { out } = await backfill('--dry-run');
  expect(out).toMatchObject({
    dryRun: true,
    complete: true,
    requests: 4,
    newEvents: { opened: 2 },
    // Two that came out, and the copies of the new ones.
    known: 4,
    different: 0,
    letters: { readable: 1, failing: 1 },
    failingNow: 0,
    republished: 1,
  });
  expect((await backfill('--dry-run', '--esp', 'postmark')).out.requests).toBe(0);
  expect((await backfill('--dry-run', '--to', '12h')).out.requests).toBe(0);
}, 90_000);

test('new events come out once, and what came out before does not, though the dedupe window has forgotten it', async () => {
  await forgetIds();
  const { code, out } = await backfill();
  expect([code, out.newEvents, out.republished]).toEqual([0, { opened: 2 }, 1]);
  await waitFor('the new events', async () => (await namesInClickHouse()).length === 4);
  // A second run has nothing to do; what it would have put back would come before the proof.
  await waitFor('nothing is left', async () => Object.keys((await backfill()).out.newEvents).length === 0);
  await world.produce(topics.raw, [rawMessage([open('proof')])]);
  await waitFor('the proof', async () => (await namesInClickHouse()).includes('proof'));
  const expected = ['late', 'later', 'one', 'proof', 'two'];
  expect(await namesInClickHouse()).toEqual(expected);
  expect(await namesOnTopic()).toEqual(expected);
}, 90_000);

test('an event that would be read differently is counted, and left as it is', async () => {
  await world.clickhouse.command(
    `ALTER TABLE email_events UPDATE campaign = 'as it was read then' WHERE recipient = 'one@example.com' SETTINGS mutations_sync = 1`,
  );
  const { out } = await backfill('--dry-run');
  expect(out).toMatchObject({ newEvents: {}, different: 1, republished: 0 });
});

test('what came out and is gone, since rows are kept no longer, does not come out again', async () => {
  const old = { ...open('old'), timestamp: Math.floor((Date.now() - 3 * DAY_MS) / 1_000) };
  await world.produce(topics.raw, [rawMessage([old])]);
  const isThere = async () => (await namesInClickHouse()).includes('old');
  await waitFor('the event', isThere);
  const alter = (ttl: string) => world.clickhouse.command(`ALTER TABLE email_events ${ttl}`);
  await alter("MODIFY TTL occurred_at + toIntervalDay(2) WHERE type = 'opened'");
  await waitFor('its row to go', async () => {
    await world.clickhouse.command('OPTIMIZE TABLE email_events FINAL');
    return !(await isThere());
  });
  expect(await backfill()).toMatchObject({ code: 1, err: expect.stringContaining('BACKFILL_KEEP_UNKNOWN') });
  // It stays so for the runs that follow.
  await alter('MODIFY TTL occurred_at + toIntervalDay(2)');
  expect((await backfill()).out).toMatchObject({ newEvents: {}, olderThanKept: 1, republished: 0 });
});

test('an opt-out that an earlier mapping took for something else takes its place, and counts under one type', async () => {
  const item = optOut('left', 'e1');
  // Received by a version without versions of identities.
  const received = rawMessage(item, { esp: 'customerio', requestId: 'r1' });
  const [former] = await emitAsOther(world, item, 'left', 'r1');
  await waitFor('what it was', async () => (await typesOf('left')).includes('other'));
  await world.produce(topics.raw, [received, rawMessage([open('behind')])]);
  await waitFor('what came behind it', async () => (await namesInClickHouse()).includes('behind'));
  // A copy of what came out, as another type: it counts once.
  expect(await typesOf('left')).toEqual(['other']);
  const retyped = { 'customerio: other → unsubscribed': 1, 'customerio: other → subscribed': 1 };
  expect((await backfill('--dry-run')).out).toMatchObject({ newEvents: {}, retyped, republished: 0 });
  expect((await backfill()).out).toMatchObject({ newEvents: {}, retyped, republished: 0 });
  expect((await backfill('--retype')).out).toMatchObject({
    newEvents: { unsubscribed: 1, subscribed: 1 },
    republished: 1,
  });
  await waitFor('what it is now', async () => (await typesOf('left')).length === 3);
  await waitFor('the suppression', async () => (await leftStreams('left')).includes('topic_7'));
  await waitFor('the mark', async () => (await marks()).length > 0);
  const [now] = await world.clickhouse.query<{ event_id: string }>(
    `SELECT event_id FROM email_events WHERE type = 'unsubscribed' AND recipient = 'left@example.com'`,
  );
  expect(await marks()).toEqual([
    { event_id: former, mark: 'superseded', replaced_by: now?.event_id, change: 1 },
  ]);
  const again = (await backfill('--retype')).out;
  expect(again).toMatchObject({ newEvents: {}, retyped: {}, republished: 0 });
}, 120_000);

test('where rows name nobody, it takes its place as well', async () => {
  const [by] = pseudonymsOf(world.config);
  if (!by) throw new Error('there is a key');
  const database = uniqueDatabase('nameless');
  const env = {
    EMAIL_EVENTS_KAFKA_GROUP_PREFIX: unique('nameless'),
    EMAIL_EVENTS_SINKS_CLICKHOUSE_DATABASE: database,
    EMAIL_EVENTS_SINKS_CLICKHOUSE_PSEUDONYMS_ENABLED: 'true',
  };
  const clickhouse = connect({ ...world.config.sinks.clickhouse, database });
  file.scope.onTestFinished(() => clickhouse.close());
  expect((await world.commandWith(env, 'clickhouse', 'migrate')).code).toBe(0);
  const nameless = world.launch('sink-clickhouse', { name: 'nameless', env });
  const item = optOut('parted', 'e2');
  const [former = ''] = await emitAsOther(world, item, 'parted', 'r2');
  await world.produce(topics.raw, [rawMessage(item, { esp: 'customerio', requestId: 'r2' })]);
  const types = async () => {
    const key = { key: storedAs('parted@example.com', by) };
    const rows = await clickhouse.query<{ type: string }>(
      'SELECT type FROM email_events WHERE recipient_key = {key:String} ORDER BY type',
      key,
    );
    return rows.map(({ type }) => type);
  };
  await nameless.ready;
  await waitFor('what it was', async () => (await types()).includes('other'));
  const run = (flag: string) => world.commandWith(env, 'backfill', '--from', '1d', flag);
  const retype = () => run('--retype');
  await waitFor('all else to be written', async () => {
    const { code, out } = await run('--dry-run');
    return code === 0 && Object.keys(out.newEvents).length === 0;
  });
  const newEvents = { unsubscribed: 1, subscribed: 1 };
  expect((await retype()).out).toMatchObject({ newEvents, republished: 1 });
  await waitFor('what it is now', async () => (await types()).length === 3);
  await waitFor('the mark', async () => {
    const ids = await clickhouse.query(
      'SELECT event_id, mark FROM event_marks WHERE event_id = {id:String}',
      {
        id: keyedId(former, by),
      },
    );
    return ids.length === 1;
  });
  expect((await retype()).out).toMatchObject({ newEvents: {}, retyped: {}, republished: 0 });
  await nameless.stop();
}, 120_000);

test('bounces are told once and are over once, whatever is killed; what is put back is told to nobody', async () => {
  // A session that ends soon: the group waits for whoever was killed.
  const env = { EMAIL_EVENTS_KAFKA_SESSION_TIMEOUT_MS: '6000' };
  const launch = async (name: string) => {
    const launched = world.launch('alerts', { name, env });
    await launched.ready;
    return launched;
  };
  const send = (counts: { delivered?: number; bounce?: number }, headers = {}) => {
    const of = { source: 'alerted' };
    const items = Object.entries(counts).flatMap(([event, count]) =>
      Array.from({ length: count }, () => sendgridItem(event, event === 'bounce' ? BAD_MAILBOX : {})),
    );
    const message = rawMessage(items, of);
    return world.produce(topics.raw, [{ ...message, headers: { ...message.headers, ...headers } }]);
  };
  const first = await launch('alerts-1');
  const second = await launch('alerts-2');
  const replay = {
    topic: topics.raw,
    partition: 1,
    offset: 999_999,
    recordedAt: Date.now(),
    sink: null,
    reason: 'backfill' as const,
  };
  const header = encodeReplay({ ...replay, items: null, events: null, letters: [] });
  await send({ bounce: 30 }, { [REPLAY_HEADER]: header });
  await send({ delivered: 60, bounce: 20 });
  await waitFor('it fires', async () => (await alerts()).length > 0, 60_000);
  // Those that were put back would make it 50 of 110.
  expect(await alerts()).toMatchObject([
    { rule: 'bounce_rate', level: 'critical', status: 'firing', source: 'alerted', events: 20, of: 80 },
  ]);
  await waitFor('the receiver is told', () => posted.length > 0, 30_000);
  await Promise.all([first.kill(), second.kill()]);
  await send({ bounce: 20 });
  const third = await launch('alerts-3');
  const fourth = await launch('alerts-4');
  await send({ delivered: 1_000 });
  await waitFor('it is over', async () => (await alerts()).length > 1, 60_000);
  await waitFor('the receiver is told', () => posted.length > 1, 30_000);
  await third.kill();
  // The proof that nothing else comes: another alert, by the one that is left.
  await send({ bounce: 300 });
  await waitFor('it fires again', async () => (await alerts()).length > 2, 60_000);
  await waitFor('the receiver is told', () => posted.length > 2, 30_000);
  const told = await alerts();
  expect(told.map(({ status, events }) => [status, events])).toEqual([
    ['firing', 20],
    ['resolved', 20],
    // 40 and 1,060 are known from before.
    ['firing', 340],
  ]);
  expect(told[1]?.alert_id).toBe(told[0]?.alert_id);
  expect(posted).toEqual(told);
  // The local pipeline, whose test holds those of the other services, has no `alerts`.
  const metrics = await fourth.metrics();
  expect(undeclared(metricsIn(metrics), describedMetrics().get('alerts') ?? [])).toEqual([]);
  expect(await promtool(['check', 'metrics'], metrics)).toEqual({ code: 0, out: '' });
  await fourth.stop();
}, 180_000);

const BAD_MAILBOX = { type: 'bounce', reason: '550 5.1.1 no such user', status: '5.1.1' };

/** All that there are, in order. */
async function alerts(): Promise<Alert[]> {
  const decoder = world.codec.decoder<Alert>('alert');
  const found: Alert[] = [];
  await readTopic(world.config.kafka, {
    topics: [topics.alerts],
    from: 'beginning',
    onRecord: async ({ value }) => {
      if (value === null) return;
      await decoder.load([value]);
      found.push(decoder.decode(value));
    },
  });
  return found;
}

/** Takes what is signed, once by its id. */
async function alertReceiver(): Promise<string> {
  const seen = new Set<unknown>();
  const server = createServer(async (request, response) => {
    const body = await text(request);
    new Webhook(ALERT_SECRET).verify(body, request.headers as Record<string, string>);
    const id = request.headers['webhook-id'];
    if (!seen.has(id)) posted.push(JSON.parse(body));
    seen.add(id);
    response.writeHead(204).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  file.scope.onTestFinished(async () => server.close().closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

async function typesOf(name: string): Promise<string[]> {
  const rows = await world.clickhouse.query<{ type: string }>(
    `SELECT type FROM email_events WHERE recipient = '${name}@example.com' ORDER BY type`,
  );
  return rows.map(({ type }) => type);
}

async function leftStreams(name: string): Promise<string[]> {
  const rows = await world.clickhouse.query<{ scope: string }>(
    `SELECT arrayJoin(reasons).scope AS scope FROM suppressions_current WHERE recipient = '${name}@example.com'`,
  );
  return rows.map(({ scope }) => scope);
}

const marks = () =>
  world.clickhouse.query<{ event_id: string }>(
    'SELECT event_id, mark, replaced_by, change FROM event_marks ORDER BY event_id',
  );

/** As a version would have left it that could not read the request's only item. */
async function writeLetter({ value, headers = {} }: Message, offset: number): Promise<void> {
  const record = {
    topic: topics.raw,
    partition: 1,
    offset,
    key: null,
    value,
    headers,
    timestamp: Date.now(),
  };
  const failure = { stage: 'normalize', code: 'NORMALIZE_ITEM_INVALID', message: 'not known', firstAt: 1 };
  const letter = deadLetterOf(record, { ...failure, item: { index: 0, bytes: null } });
  const encoder = await world.codec.encoder<DeadLetter>(topics.deadLetters, 'deadLetter');
  await world.produce(topics.deadLetters, [{ key: deadLetterKey(letter), value: encoder.encode(letter) }]);
}

/** As if all ids were older than the window. */
async function forgetIds(): Promise<void> {
  await runningEvents.stop();
  await rm(world.config.events.stateDir, { recursive: true });
  await withAdmin(world.config.kafka, async (admin) => {
    const ends = await admin.fetchTopicOffsets(topics.seen);
    const partitions = ends.map(({ partition, high }) => ({ partition, offset: high }));
    await admin.deleteTopicRecords({ topic: topics.seen, partitions });
  });
  runningEvents = await world.start(events);
}
