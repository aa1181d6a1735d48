import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, pseudonymsOf, Registry, type RunningService, readTopic } from '@email-events/core';
import { startReceiver } from '@email-events/dev/receiver';
import { eventTopics, topics } from '@email-events/schemas';
import { connect, storedAs } from '@email-events/sink-clickhouse';
import { startCrmSink } from '@email-events/sink-crm';
import { type PlayedCrm, PlayedServer } from '@email-events/sink-crm/testing';
import { startLookup } from '@email-events/sink-lookup';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { harness as listmonk } from '../../sinks/crm/src/adapters/listmonk.harness.ts';
import { unique, uniqueDatabase } from '../harness/isolation.ts';
import type { Pipeline } from '../harness/pipeline.ts';
import { fileScope, waitFor } from '../harness/stack.ts';
import { rawMessage, SERVICES, sendgridItem, startWorld } from './world.ts';

// Somebody is forgotten while mail goes on: in ClickHouse, by the look-up, for what comes late and what comes again.

const ANN = 'ann@example.com';
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const TOKEN = 'the-token-of-this-test-0123456789';
const WHY = ['--why', 'asked by mail', '--by', 'maria'];
const file = fileScope();
let world: Pipeline;
let lookup: RunningService;
let receiverUrl: string;
let letters: PlayedCrm;

beforeAll(async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'email-events-erase-'));
  const receiver = await startReceiver({ host: '127.0.0.1', port: 0, secrets: [SECRET], dataDir });
  file.scope.onTestFinished(async () => {
    await receiver.stop();
    await rm(dataDir, { recursive: true });
  });
  letters = listmonk.play();
  const played = await PlayedServer.start(letters);
  file.scope.onTestFinished(() => played.close());
  receiverUrl = `http://127.0.0.1:${receiver.port}/suppressions`;
  world = await startWorld(file.scope, {
    erasure: { keys: ['the-key-of-this-test-0123456789-0123456789'] },
    sinks: {
      crm: {
        ...{ adminPort: 0, url: receiverUrl, secrets: [SECRET] },
        others: { letters: { kind: 'listmonk', ...letters.settings(played.base) } },
      },
      lookup: { port: 0, adminPort: 0, tokens: [TOKEN] },
    },
  });
  for (const service of [...SERVICES, startCrmSink]) await world.start(service);
  const of = { config: world.config, log: createLogger('test', 'silent'), metrics: new Registry() };
  lookup = await startLookup(of);
  file.scope.onTestFinished(() => lookup.stop());
}, 180_000);
afterAll(() => file.end());

const send = (...items: readonly object[]) => world.produce(topics.raw, [rawMessage(items)]);

async function mayMail(address: string): Promise<boolean> {
  const url = `http://127.0.0.1:${lookup.ports.http}/v1/may-mail?${new URLSearchParams({ address })}`;
  const response = await fetch(url, { headers: { authorization: `Bearer ${TOKEN}` } });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return ((await response.json()) as { mail: boolean }).mail;
}

/** Rows with one of the texts in any text of any table, by table; by default her address. */
async function rowsNaming(
  clickhouse = world.clickhouse,
  texts = ['ann@'],
): Promise<{ [table: string]: number }> {
  const columns = await clickhouse.query<{ table: string; name: string; type: string }>(
    `SELECT table, name, type FROM system.columns WHERE database = currentDatabase() AND type LIKE '%String%'
       AND table IN (SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree')`,
  );
  const byTable = Map.groupBy(columns, ({ table }) => table);
  const found: { [table: string]: number } = {};
  for (const [table, names] of byTable) {
    const all = names.flatMap(({ name, type }) => [
      `ifNull(toString(\`${name}\`), '')`,
      ...(name.endsWith('_base64') && !type.startsWith('Map')
        ? [`ifNull(tryBase64Decode(\`${name}\`), '')`]
        : []),
    ]);
    const [row] = await clickhouse.query<{ n: string }>(
      `SELECT count() AS n FROM \`${table}\` WHERE multiSearchAnyCaseInsensitiveUTF8(concat(${all.join(', ')}, ''), {texts:Array(String)})`,
      { texts },
    );
    if (Number(row?.n) > 0) found[table] = Number(row?.n);
  }
  return found;
}

/** Typed events under her key. */
async function typed(): Promise<number> {
  let count = 0;
  await readTopic(world.config.kafka, {
    topics: eventTopics,
    from: 'beginning',
    onRecord: ({ key, value }) => {
      if (value && key?.toString() === ANN) count++;
    },
  });
  return count;
}

/** Whatever came before is written, where the two are on one partition; so one is sent for each. */
async function isWritten(): Promise<void> {
  const others = Array.from({ length: 16 }, (_, n) =>
    sendgridItem('open', { email: `proof${n}@example.com` }),
  );
  await send(...others);
  const ids = others.map(({ sg_event_id }) => sg_event_id);
  await waitFor('later events are in ClickHouse', async () => {
    const [row] = await world.clickhouse.query<{ n: string }>(
      'SELECT uniqExact(esp_event_id) AS n FROM email_events WHERE esp_event_id IN {ids:Array(String)}',
      { ids },
    );
    return Number(row?.n) === ids.length;
  });
}

test('who is erased is in no table, must still not be mailed, and is brought back by nothing that comes late', {
  timeout: 300_000,
}, async () => {
  const said = [
    sendgridItem('bounce', {
      email: 'Ann@EXAMPLE.com',
      type: 'bounce',
      reason: '550 ann@example.com unknown',
    }),
    sendgridItem('delivered', { email: ANN }),
    sendgridItem('open', { email: ANN }),
    { event: 'open', note: 'of Ann@example.com, and neither recipient nor time' },
    sendgridItem('bounce', { email: 'eve@example.com', type: 'bounce', reason: '550 unknown' }),
  ];
  await send(...said);
  await waitFor(
    'the look-up knows',
    async () => !(await mayMail(ANN)) && !(await mayMail('eve@example.com')),
  );
  await waitFor('the CRM knows', async () => (await fetch(`${receiverUrl}/${ANN}`)).ok);
  await waitFor('the other CRM knows', async () => letters.held(ANN)?.suppressed === true);
  await waitFor('all is in ClickHouse', async () => (await rowsNaming()).email_events === 3);
  await waitFor('the dead letter, too', async () => (await rowsNaming()).dead_letters === 1);
  const before = await typed();

  const shown = await world.command('erase', 'ANN@example.com', ...WHY);
  expect(shown).toMatchObject({ code: 0, out: { dryRun: true, recipients: 1, rows: { email_events: 3 } } });
  expect(await rowsNaming()).toMatchObject({ email_events: 3 });
  expect((await world.command('erase', ANN, ...WHY, '--yes-change', '2')).code).toBe(1);
  expect((await world.command('erase', ANN, ...WHY, '--yes-change', '1', '--no-wait')).code).toBe(2);

  const plan = await world.command('erase', ANN, ...WHY, '--crm');
  expect(plan).toMatchObject({
    code: 0,
    out: {
      crms: [
        { kind: 'http', calls: [] },
        { kind: 'listmonk', afterwards: 'mailable', calls: [{ method: 'DELETE' }] },
      ],
    },
  });
  expect(letters.held(ANN)).toMatchObject({ suppressed: true });

  const yes = ['--crm', '--yes-change', '1'];
  const { code, out } = await world.command('erase', 'ANN@example.com', ...WHY, ...yes);
  expect({ code, out }).toMatchObject({ code: 0, out: { dryRun: false, rows: { email_events: 3 } } });
  expect(out.crms).toMatchObject([
    { consumer: 'sink-crm', kind: 'http', afterwards: 'suppression', problem: null },
    { consumer: 'sink-crm-letters', recipients: { erased: 1, left: 0 }, problem: null },
  ]);
  expect(letters.recipients()).toEqual(['eve@example.com']);
  expect(await rowsNaming()).toEqual({});
  const raw = out.remains.find(({ topic }: { topic: string }) => topic === topics.raw);
  expect(Date.parse(raw.until)).toBeGreaterThan(Date.now() + 30 * 86_400_000);
  await waitFor('the look-up goes by the hash', async () => !(await mayMail('Ann@example.com')));
  await waitFor('others may be mailed', () => mayMail('anna@example.com'));
  const { out: known } = await world.command('suppressions', 'get', ANN);
  expect(known).toMatchObject({
    suppressed: true,
    actions: [{ kind: 'erase', by: 'maria', why: 'asked by mail' }],
  });

  // Again, late, as a mistake of somebody else, and as an order that was already given.
  await send(...said.slice(0, 3), sendgridItem('click', { email: ANN, url: 'https://shop.example/' }));
  expect(await world.command('suppressions', 'add', ANN, ...WHY)).toMatchObject({
    code: 0,
    out: { ordered: 0, erased: 1 },
  });
  const list = join(world.folder, 'list.csv');
  await writeFile(list, 'email\nann@example.com\nnew@example.com\n');
  const imported = await world.command('suppressions', 'import', list, '--column', 'email=email', ...WHY);
  expect(imported).toMatchObject({ code: 0, out: { recipients: 2, already: 1, erased: 1, change: 1 } });
  await isWritten();
  expect(await typed()).toBe(before);
  expect(await rowsNaming()).toEqual({});
  await waitFor('she may not', async () => !(await mayMail(ANN)));
  const again = await world.command('erase', ANN, ...WHY, ...yes);
  expect(again).toMatchObject({ code: 0, out: { rows: { email_events: 0 } } });
  expect(again.out.crms[1]).toMatchObject({ recipients: { erased: 0, absent: 1 } });
  expect(letters.recipients()).toEqual(['eve@example.com']);

  // Nobody else lost anything, and no CRM heard of a hash.
  await waitFor('others are as they were', async () => !(await mayMail('eve@example.com')));
  const [eve] = await world.clickhouse.query<{ n: string }>(
    `SELECT count() AS n FROM email_events WHERE recipient_key = 'eve@example.com'`,
  );
  expect(Number(eve?.n)).toBe(1);
  const { out: listed } = await world.command('suppressions', 'list');
  const [hash] = listed.reasons
    .map(({ recipient }: { recipient: string }) => recipient)
    .filter((key: string) => key.startsWith('ERASED:'));
  expect((await fetch(`${receiverUrl}/${hash}`)).status).toBe(404);
});

/** The same events in a database of its own, by a sink that names nobody. */
async function startNameless() {
  const database = uniqueDatabase('nameless');
  const env = {
    EMAIL_EVENTS_KAFKA_GROUP_PREFIX: unique('nameless'),
    EMAIL_EVENTS_SINKS_CLICKHOUSE_DATABASE: database,
    EMAIL_EVENTS_SINKS_CLICKHOUSE_PSEUDONYMS_ENABLED: 'true',
    EMAIL_EVENTS_LOG_LEVEL: 'debug',
  };
  const clickhouse = connect({ ...world.config.sinks.clickhouse, database });
  file.scope.onTestFinished(() => clickhouse.close());
  expect((await world.commandWith(env, 'clickhouse', 'migrate')).code).toBe(0);
  const sink = world.launch('sink-clickhouse', { name: 'nameless', env });
  await sink.ready;
  return { clickhouse, env, sink, database };
}

test('analytics that name nobody say the same, and nothing of her is in any table, log or error', {
  timeout: 300_000,
}, async () => {
  const zed = 'zed.quixote77@gmail.com';
  const email = 'Zed.Quixote77@GMAIL.com';
  const [ip, agent] = ['203.0.113.199', 'Zquix-Scanner-Bot/7 (barracuda)'];
  const secrets = ['quixote77', 'zed.quix', ip, 'zquix'];
  const campaign = { marketing_campaign_name: 'autumn' };
  await send(
    sendgridItem('delivered', { email, ...campaign, response: `250 ok ${email}` }),
    sendgridItem('open', { email, ip, useragent: agent, ...campaign }),
    sendgridItem('click', {
      ...{ email, ip, useragent: 'Mozilla/5.0 (Zquix) Thunderbird', ...campaign },
      url: `https://shop.example/of/${email}?u=zed.quixote77&ip=${ip}`,
    }),
    sendgridItem('bounce', { email, type: 'bounce', reason: `550 5.1.1 <${email}>: zed.quixote77 unknown` }),
    sendgridItem('unsubscribe', { email, name: 'Zed Quixote77', category: [email], ip, useragent: agent }),
    sendgridItem('spamreport', { email }),
    // ESPs report what is no address, too.
    sendgridItem('open', { email: 'Quixote77 Nodomain' }),
    { event: 'open', note: `of ${email}`, ip },
    sendgridItem('open', { email: 'eve@example.com' }),
  );
  const nameless = await startNameless();
  await isWritten();
  // Read from the beginning, Kafka's records bring back who was erased before; the hash that is kept tells.
  const [by] = pseudonymsOf(world.config);
  if (!by) throw new Error('there is a key');
  await waitFor('the rows of who was erased to be found, and gone', async () => {
    const { code, out } = await world.commandWith(nameless.env, 'clickhouse', 'erased', '--yes-change', '1');
    return code === 0 && out.recipients.includes(storedAs(ANN, by));
  });
  const both = async <Row>(sql: string) =>
    Promise.all([world.clickhouse.query<Row>(sql), nameless.clickhouse.query<Row>(sql)]);
  await waitFor('both have written the same', async () => {
    const [plain, hidden] = await both(
      `SELECT (SELECT count() FROM email_events) AS events, (SELECT uniqExact(recipient_key) FROM email_events) AS recipients,
         (SELECT count() FROM suppressions_current WHERE NOT startsWith(recipient, 'ERASED:')) AS states`,
    );
    return JSON.stringify(plain) === JSON.stringify(hidden);
  });
  expect(Object.keys(await rowsNaming(world.clickhouse, secrets)).sort()).toEqual(
    expect.arrayContaining(['dead_letters', 'email_events', 'message_facts', 'suppressions']),
  );
  expect(await rowsNaming(nameless.clickhouse, secrets)).toEqual({});

  // Views say of her, and of everybody, what they say where she is named.
  for (const sql of [
    `SELECT campaign, type, agent_kind, verdict, score, reasons, links_near, mailbox_provider, occurred_at FROM reactions ORDER BY occurred_at, type, campaign`,
    'SELECT type, mailbox_provider, recipient_domain, events FROM events_hourly ORDER BY ALL',
    "SELECT reason, scope, mailbox_provider, sum(recipients) AS n FROM list_hygiene WHERE mailbox_provider = 'gmail' GROUP BY ALL ORDER BY ALL",
    'SELECT reason, type, mailbox_provider, events FROM bounce_reasons ORDER BY ALL',
    'SELECT * FROM campaign_performance ORDER BY ALL',
  ]) {
    const [plain, hidden] = await both(sql);
    expect(plain.length).toBeGreaterThan(0);
    expect(hidden).toEqual(plain);
  }

  // Commands find her by the key, and without it say what to do.
  const stored = storedAs(zed, by);
  const ask = (env: object, address: string) =>
    world.commandWith({ ...nameless.env, ...env }, 'recipient', address);
  const story = await ask({}, ` ${email}`);
  expect(story).toMatchObject({ code: 0, out: { stories: [{ suppression: { suppressed: true } }] } });
  expect(story.out.stories[0].messages.length).toBeGreaterThan(0);
  expect((await ask({}, stored)).out.stories[0].messages).toEqual(story.out.stories[0].messages);
  const without = await ask(
    { EMAIL_EVENTS_ERASURE_KEYS: '[]', EMAIL_EVENTS_SINKS_CLICKHOUSE_PSEUDONYMS_ENABLED: 'false' },
    zed,
  );
  expect(without).toMatchObject({ code: 0, err: expect.stringContaining('erasure.keys') });
  for (const keys of [[], ['another-key-of-this-test-0123456789-0123']]) {
    const env = {
      EMAIL_EVENTS_ERASURE_KEYS: JSON.stringify(keys),
      EMAIL_EVENTS_SINKS_CLICKHOUSE_PSEUDONYMS_ENABLED: 'false',
    };
    const gone = await world.commandWith(
      { ...nameless.env, ...env },
      'backfill',
      '--from',
      '1d',
      '--dry-run',
    );
    expect(gone).toMatchObject({ code: 1, err: expect.stringContaining('BACKFILL_KEY_MISSING') });
  }

  // What came out is known by its keyed id, and what a source said is taken back from those whom Kafka names.
  const times = [-7_200_000, 0].map((ago) => new Date(Date.now() + ago).toISOString());
  const lift = ['lift', '--source', 'main', '--from', times[0] ?? '', '--to', times[1] ?? '', ...WHY];
  for (const [args, expected] of [
    [['backfill', '--from', times[0] ?? '', '--dry-run'], { different: 0 }],
    [['suppressions', ...lift], { dryRun: true, unnamed: 0 }],
  ] as const) {
    const plain = await world.command(...args);
    const hidden = await world.commandWith(nameless.env, ...args);
    expect(plain).toMatchObject({ code: 0, out: expected });
    expect(hidden.out).toEqual(plain.out);
  }

  expect(nameless.sink.log()).not.toMatch(/quixote77|203\.0\.113|zquix/i);

  await nameless.clickhouse.command(
    `CREATE TABLE backup ENGINE = Memory AS SELECT * FROM email_events WHERE recipient_key = '${stored}'`,
  );
  const erased = await world.commandWith(
    nameless.env,
    ...['erase', zed, ' QUIXOTE77 nodomain', ...WHY, '--yes-change', '2'],
  );
  expect(erased).toMatchObject({ code: 0, out: { rows: { email_events: 7 } } });
  const [left] = await nameless.clickhouse.query<{ n: string }>(
    `SELECT count() AS n FROM email_events WHERE recipient_key = '${stored}'`,
  );
  expect(Number(left?.n)).toBe(0);

  // A restored backup has her again; and the other database was never told.
  await nameless.clickhouse.command('INSERT INTO email_events SELECT * FROM backup');
  for (const [env, recipients, email_events] of [
    [nameless.env, [stored], 6],
    [{}, ['quixote77 nodomain', zed], 7],
  ] as const) {
    const found = await world.commandWith(env, 'clickhouse', 'erased');
    expect(found).toMatchObject({ code: 0, out: { dryRun: true, rows: { email_events } } });
    expect(found.out.recipients.sort()).toEqual(recipients);
    const change = ['--yes-change', String(recipients.length)];
    const gone = await world.commandWith(env, 'clickhouse', 'erased', ...change);
    expect(gone).toMatchObject({ code: 0, out: { rows: { email_events } } });
    expect((await world.commandWith(env, 'clickhouse', 'erased')).out).toMatchObject({ recipients: [] });
  }
});
