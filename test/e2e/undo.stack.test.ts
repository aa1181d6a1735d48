import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { startReceiver } from '@email-events/dev/receiver';
import { normalizeRecord } from '@email-events/processors';
import { type NormalizedBatch, partitionOf, topics } from '@email-events/schemas';
import { startCrmSink } from '@email-events/sink-crm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Message, Pipeline, Started } from '../harness/pipeline.ts';
import { fileScope, waitFor } from '../harness/stack.ts';
import { rawMessage, SERVICES, sendgridItem, startWorld } from './world.ts';

const file = fileScope();
const [startNormalize, startEvents, startClickHouseSink] = SERVICES;
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const HOUR = 3_600_000;
/** When the hostile source's secret was in other hands. */
const LEAK = { from: Date.now() - 5 * HOUR, to: Date.now() - 4 * HOUR };
const DURING = LEAK.from + HOUR / 2;
const range = ['--from', new Date(LEAK.from).toISOString(), '--to', new Date(LEAK.to).toISOString()];
const ofHostile = ['--source', 'hostile', ...range, '--why', 'secret leaked', '--by', 'maria'];

let world: Pipeline;
let receiverUrl: string;
let runningEvents: Started;
beforeAll(async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'email-events-undo-'));
  const receiver = await startReceiver({ host: '127.0.0.1', port: 0, secrets: [SECRET], dataDir });
  file.scope.onTestFinished(async () => {
    await receiver.stop();
    await rm(dataDir, { recursive: true });
  });
  receiverUrl = `http://127.0.0.1:${receiver.port}/suppressions`;
  const crm = { adminPort: 0, url: receiverUrl, secrets: [SECRET] };
  world = await startWorld(file.scope, { sinks: { crm } });
  for (const service of [startNormalize, startClickHouseSink, startCrmSink]) await world.start(service);
  runningEvents = await world.start(startEvents);
}, 120_000);
afterAll(() => file.end());

const suppressions = (...args: string[]) => world.command('suppressions', ...args);
const marks = (...args: string[]) => world.command('marks', ...args);

/** `all`, the scopes that are left, or nothing: as the CRM has it. Undefined: it never heard of the recipient. */
async function atCrm(recipient: string): Promise<string | undefined> {
  const response = await fetch(`${receiverUrl}/${recipient}`);
  if (response.status === 404) return undefined;
  const state = (await response.json()) as { suppressed: boolean; reasons: { scope: string }[] };
  return state.suppressed ? 'all' : state.reasons.map(({ scope }) => scope).join();
}

const becomes = (recipient: string, wanted: string) =>
  waitFor(`${recipient} is ${wanted || 'free'} at the CRM`, async () => (await atCrm(recipient)) === wanted);

const honest = (name: string, type: string, more = {}) =>
  sendgridItem(type, { email: `${name}@example.com`, ...more });
const send = (items: readonly object[]) => world.produce(topics.raw, [rawMessage(items)]);
const forge = (items: readonly object[], receivedAt = DURING) =>
  world.produce(topics.raw, [rawMessage(items, { source: 'hostile', receivedAt })]);

const rows = async () => {
  const [row] = await world.clickhouse.query<{ n: string }>('SELECT count() AS n FROM email_events');
  return Number(row?.n);
};

const everyReport = async () => {
  const views = {
    types: 'SELECT type, source, events FROM events_by_esp_and_type WHERE events > 0 ORDER BY type, source',
    campaigns: 'SELECT * FROM campaign_performance ORDER BY source, campaign',
    domains: 'SELECT * FROM deliverability_by_domain ORDER BY source, recipient_domain',
  };
  const shown = Object.entries(views).map(async ([name, sql]) => [name, await world.clickhouse.query(sql)]);
  return Object.fromEntries(await Promise.all(shown)) as { [name: string]: unknown[] };
};

test('what cannot be understood is refused with 2, and nothing is ordered', async () => {
  for (const args of [
    ['add', 'ann@example.com'],
    ['add', 'nobody', '--why', 'x'],
    ['add', '--why', 'x'],
    ['lift', 'ann@example.com', '--why', 'x', '--from', '1h'],
    ['lift', '--source', 'hostile', '--from', '1h', '--why', 'x'],
    ['lift', 'ann@example.com', '--source', 'hostile', ...range, '--why', 'x'],
  ])
    expect([args, (await suppressions(...args)).code]).toEqual([args, 2]);
  const { out } = await suppressions('get', 'ann@example.com');
  expect(out).toMatchObject({ known: false, suppressed: false, reasons: [], actions: [] });
});

test('an operator suppresses, and the CRM is told; lifts it, and the CRM is told; all of it is on record', async () => {
  const added = await suppressions('add', 'Ann@Example.com', '--why', 'asked by phone', '--by', 'maria');
  expect([added.code, added.out]).toMatchObject([
    0,
    { ordered: 1, changed: 1, unchanged: 0, pending: 0, unknown: ['ann@example.com'] },
  ]);
  await becomes('ann@example.com', 'all');
  const listed = (await suppressions('list', '--reason', 'manual')).out;
  expect(listed).toMatchObject({ total: 1, reasons: [{ recipient: 'ann@example.com', scope: 'all' }] });

  const again = await suppressions('add', 'ann@example.com', '--why', 'asked again');
  expect([again.code, again.out.unknown]).toEqual([0, []]);
  const lifted = await suppressions('lift', 'ann@example.com', '--why', 'wants mail', '--by', 'tom');
  expect([lifted.code, lifted.out]).toMatchObject([0, { changed: 1, unchanged: 0, unknown: [] }]);
  await becomes('ann@example.com', '');
  const nothing = await suppressions('lift', 'ann@example.com', '--why', 'once more');
  expect([nothing.code, nothing.out]).toMatchObject([
    0,
    { changed: 0, unchanged: 1, unknown: ['ann@example.com'] },
  ]);

  const { code, out } = await suppressions('get', 'ann@example.com');
  expect(code).toBe(0);
  expect(out).toMatchObject({ known: true, suppressed: false, reasons: [] });
  expect(out.actions.map(({ kind, by }: { kind: string; by: string }) => [kind, by])).toMatchObject([
    ['suppress', 'maria'],
    ['suppress', expect.stringMatching(/./)],
    ['lift', 'tom'],
    ['lift', expect.stringMatching(/./)],
  ]);
}, 60_000);

test('what a source said in a time is taken back; what others said of the same recipients stays', async () => {
  const both = [0, 1, 2].map((n) => `both${n}`);
  const onlyForged = [0, 1, 2, 3].map((n) => `forged${n}`);
  const base = Math.floor(DURING / 1_000);
  await send([
    ...both.map((name) => honest(name, 'spamreport', { campaign: 'autumn' })),
    honest('left', 'group_unsubscribe', { asm_group_id: 7, timestamp: base - 1_000 }),
  ]);
  await becomes('both2@example.com', 'all');
  await becomes('left@example.com', '7');
  await forge([
    ...both.map((name) => honest(name, 'spamreport', { timestamp: base - 1_000 })),
    ...onlyForged.map((name) => honest(name, 'spamreport', { timestamp: base })),
    // It is later than the unsubscribe.
    honest('left', 'group_resubscribe', { asm_group_id: 7, timestamp: base }),
  ]);
  // The events of the same source from before and after the leak are its own.
  await forge([honest('before', 'spamreport')], LEAK.from - 1);
  await forge([honest('after', 'spamreport')], LEAK.to);
  for (const name of [...onlyForged, 'before', 'after']) await becomes(`${name}@example.com`, 'all');
  await becomes('left@example.com', '');
  const sent = both.length * 2 + onlyForged.length + 4;
  await waitFor('all rows', async () => (await rows()) === sent);
  // Others' words of the last seconds might still be on their way to ClickHouse.
  await waitFor(
    'the sink is in step',
    async () => (await suppressions('lift', ...ofHostile)).code === 0,
    60_000,
  );

  const concerned = both.length + onlyForged.length + 1;
  const dry = await suppressions('lift', ...ofHostile);
  expect([dry.code, dry.out]).toMatchObject([
    0,
    { dryRun: true, recipients: concerned, said: { complaint: 7, subscribe: 1 }, alreadyTakenBack: 0 },
  ]);
  const wrong = await suppressions('lift', ...ofHostile, '--yes-change', String(concerned - 1));
  expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining('CLI_CHANGE_DIFFERS')]);
  expect((await suppressions('get', 'forged0@example.com')).out).toMatchObject({
    suppressed: true,
    actions: [],
  });

  const done = await suppressions('lift', ...ofHostile, '--yes-change', String(concerned));
  expect([done.code, done.out]).toMatchObject([0, { ordered: concerned, pending: 0 }]);
  for (const name of onlyForged) await becomes(`${name}@example.com`, '');
  await becomes('left@example.com', '7');
  for (const name of [...both, 'before', 'after']) expect(await atCrm(`${name}@example.com`)).toBe('all');
  const { out } = await suppressions('get', 'both1@example.com');
  expect(out.reasons).toMatchObject([{ reason: 'complaint', source: 'main' }]);
  expect(out.actions).toMatchObject([
    { kind: 'retract', source: 'hostile', by: 'maria', why: 'secret leaked' },
  ]);

  const twice = await suppressions('lift', ...ofHostile);
  expect(twice.out).toMatchObject({ recipients: 0, alreadyTakenBack: concerned });
}, 120_000);

test('the forged requests do not come into force again, however they come', async () => {
  // A request that was held up somewhere, with events that the pipeline has not seen, and the same request again.
  const late = honest('forged1', 'spamreport', { timestamp: Math.floor(DURING / 1_000) });
  await forge([late]);
  await forge([late]);
  const backfill = await world.command('backfill', '--from', '1d', '--source', 'hostile');
  expect(backfill.code).toBe(0);
  await send([honest('forged3', 'spamreport')]);
  await becomes('forged3@example.com', 'all');
  for (const name of ['forged0', 'forged1', 'forged2']) expect(await atCrm(`${name}@example.com`)).toBe('');
  expect(await atCrm('left@example.com')).toBe('7');
}, 60_000);

test('its events are marked: no report counts them, none is deleted; unmarked, all is as it was', async () => {
  const count = async () => {
    const [row] = await world.clickhouse.query<{ n: string }>(
      `SELECT count() AS n FROM email_events WHERE source = 'hostile'
         AND received_at >= fromUnixTimestamp64Milli({from:Int64}) AND received_at < fromUnixTimestamp64Milli({to:Int64})`,
      LEAK,
    );
    return Number(row?.n);
  };
  await waitFor('the late one', async () => (await count()) === 9);
  const all = await rows();
  const before = await everyReport();
  await waitFor('the sink is in step', async () => (await marks('add', ...ofHostile)).code === 0, 60_000);
  expect((await marks('add', ...ofHostile)).out).toMatchObject({
    ...{ dryRun: true, events: 9, byType: { complained: 8, subscribed: 1 }, already: 0 },
  });
  const wrong = await marks('add', ...ofHostile, '--yes-change', '8');
  expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining('CLI_CHANGE_DIFFERS')]);
  const marked = await marks('add', ...ofHostile, '--yes-change', '9');
  expect([marked.code, marked.out]).toMatchObject([0, { dryRun: false, events: 9, changed: 9 }]);
  let hidden = before;
  const ofSource = () =>
    hidden.types?.filter((row) => (row as { source: string }).source === 'hostile') ?? [];
  // Marks of different recipients come one by one. What is left are the two that it said outside of that time.
  await waitFor('the reports', async () => {
    hidden = await everyReport();
    return isDeepStrictEqual(
      ofSource().map((row) => [(row as { type: string }).type, (row as { events: string }).events]),
      [['complained', '2']],
    );
  });
  expect(hidden.types).not.toEqual(before.types);
  const timeline = await world.clickhouse.query<{ source: string; mark: string }>(
    "SELECT source, mark FROM recipient_timeline WHERE recipient_key = 'both0@example.com' ORDER BY source",
  );
  expect(timeline).toEqual([
    { source: 'hostile', mark: 'forged' },
    { source: 'main', mark: '' },
  ]);
  expect(await rows()).toBe(all);

  expect((await marks('add', ...ofHostile)).out).toMatchObject({ events: 0, already: 9 });
  expect((await marks('remove', ...ofHostile)).out).toMatchObject({ dryRun: true, events: 9 });
  expect((await marks('remove', ...ofHostile, '--yes-change', '9')).out).toMatchObject({ changed: 9 });
  await waitFor('the reports as they were', async () => {
    const shown = await everyReport();
    return JSON.stringify(shown) === JSON.stringify(before);
  });
  const { out } = await marks('list');
  expect(out).toMatchObject([
    { source: 'hostile', mark: 'forged', by: 'maria', marks: 9, inForce: 0 },
    { source: 'hostile', mark: 'none', marks: 9, inForce: 9 },
  ]);
}, 120_000);

test('what today’s mapping would not make is listed, and lifted; what it makes too stays', async () => {
  const policy = { reason: '550 5.7.1 Message refused by local policy', status: '5.7.1', type: 'blocked' };
  const gone = { reason: '550 5.1.1 No such user here', status: '5.1.1', type: 'bounce' };
  const message = rawMessage([honest('misread', 'bounce', policy), honest('gone', 'bounce', gone)]);
  const [offset = 0] = await world.produce(topics.raw, [message]);
  await becomes('gone@example.com', 'all');
  await readAsHard(message, offset, 'misread@example.com');
  await becomes('misread@example.com', 'all');
  await waitFor('the sink is in step', async () => (await notMade()).code === 0, 60_000);
  const { out } = await notMade();
  expect(out).toMatchObject({ dryRun: true, suppressions: 1 });
  expect(out.notMade).toMatchObject([
    { recipient: 'misread@example.com', before: 'bounced, hard', today: 'bounced, soft' },
  ]);
  // The complaints, the unsubscribe and the bounce that is one; not what operators said.
  expect(out.stillMade).toBeGreaterThan(4);
  const done = await notMade('--yes-change', '1');
  expect([done.code, done.out]).toMatchObject([0, { ordered: 1, changed: 1 }]);
  await becomes('misread@example.com', '');
  expect(await atCrm('gone@example.com')).toBe('all');
  expect((await notMade()).out).toMatchObject({ suppressions: 0, stillMade: out.stillMade });
}, 90_000);

const notMade = (...args: string[]) =>
  suppressions('lift', '--not-made-by-mapping', '--why', 'policy was read as a hard bounce', ...args);

/** As a version before would have read the first item: its event came out, and its request is there. */
async function readAsHard({ value, headers = {} }: Message, offset: number, recipient: string) {
  const record = {
    topic: topics.raw,
    partition: 0,
    offset,
    key: null,
    value,
    headers,
    timestamp: Date.now(),
  };
  const { events: read } = await normalizeRecord(record);
  const event = read.find((one) => one.recipient === recipient);
  if (!event) throw new Error('the item has no event');
  const misread = { ...event, event_id: 'f'.repeat(32), known_as: [], bounce_class: 'hard' as const };
  const encoder = await world.codec.encoder<NormalizedBatch>(topics.normalized, 'normalized');
  const partition = partitionOf(recipient, world.config.topics.partitions);
  await world.produce(topics.normalized, [
    { value: encoder.encode({ events: [misread], actions: [] }), partition },
  ]);
}

test('while `events` is away an order is written, not lost, and said to be pending', async () => {
  await runningEvents.stop();
  const waited = await suppressions('add', 'zoe@example.com', '--why', 'x', '--wait', '1');
  expect([waited.code, waited.out]).toMatchObject([1, { ordered: 1, changed: 0, pending: 1 }]);
  const left = await suppressions('add', 'zed@example.com', '--why', 'x', '--no-wait');
  expect([left.code, left.out]).toMatchObject([0, { ordered: 1, pending: 1 }]);
  await world.start(startEvents);
  for (const name of ['zoe', 'zed']) await becomes(`${name}@example.com`, 'all');
}, 60_000);
