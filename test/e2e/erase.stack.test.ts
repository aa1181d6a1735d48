import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, Registry, type RunningService, readTopic } from '@email-events/core';
import { startReceiver } from '@email-events/dev/receiver';
import { eventTopics, topics } from '@email-events/schemas';
import { startCrmSink } from '@email-events/sink-crm';
import { startLookup } from '@email-events/sink-lookup';
import { afterAll, beforeAll, expect, test } from 'vitest';
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

beforeAll(async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'email-events-erase-'));
  const receiver = await startReceiver({ host: '127.0.0.1', port: 0, secrets: [SECRET], dataDir });
  file.scope.onTestFinished(async () => {
    await receiver.stop();
    await rm(dataDir, { recursive: true });
  });
  receiverUrl = `http://127.0.0.1:${receiver.port}/suppressions`;
  world = await startWorld(file.scope, {
    erasure: { keys: ['the-key-of-this-test-0123456789-0123456789'] },
    sinks: {
      crm: { adminPort: 0, url: receiverUrl, secrets: [SECRET] },
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

/** Rows with her address in any text of any table, by table. */
async function rowsNaming(): Promise<{ [table: string]: number }> {
  const columns = await world.clickhouse.query<{ table: string; name: string; type: string }>(
    `SELECT table, name, type FROM system.columns WHERE database = currentDatabase() AND type LIKE '%String%'
       AND table IN (SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree')`,
  );
  const byTable = Map.groupBy(columns, ({ table }) => table);
  const found: { [table: string]: number } = {};
  for (const [table, names] of byTable) {
    const texts = names.flatMap(({ name, type }) => [
      `ifNull(toString(\`${name}\`), '')`,
      ...(name.endsWith('_base64') && !type.startsWith('Map')
        ? [`ifNull(tryBase64Decode(\`${name}\`), '')`]
        : []),
    ]);
    const [row] = await world.clickhouse.query<{ n: string }>(
      `SELECT count() AS n FROM \`${table}\` WHERE positionCaseInsensitive(concat(${texts.join(', ')}, ''), 'ann@') > 0`,
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
  await waitFor('all is in ClickHouse', async () => (await rowsNaming()).email_events === 3);
  await waitFor('the dead letter, too', async () => (await rowsNaming()).dead_letters === 1);
  const before = await typed();

  const shown = await world.command('erase', 'ANN@example.com', ...WHY);
  expect(shown).toMatchObject({ code: 0, out: { dryRun: true, recipients: 1, rows: { email_events: 3 } } });
  expect(await rowsNaming()).toMatchObject({ email_events: 3 });
  expect((await world.command('erase', ANN, ...WHY, '--yes-change', '2')).code).toBe(1);
  expect((await world.command('erase', ANN, ...WHY, '--yes-change', '1', '--no-wait')).code).toBe(2);

  const { code, out } = await world.command('erase', 'ANN@example.com', ...WHY, '--yes-change', '1');
  expect({ code, out }).toMatchObject({ code: 0, out: { dryRun: false, rows: { email_events: 3 } } });
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
  expect((await world.command('suppressions', 'add', ANN, ...WHY)).code).toBe(0);
  await isWritten();
  expect(await typed()).toBe(before);
  expect(await rowsNaming()).toEqual({});
  await waitFor('she may not', async () => !(await mayMail(ANN)));
  const again = await world.command('erase', ANN, ...WHY, '--yes-change', '1');
  expect(again).toMatchObject({ code: 0, out: { rows: { email_events: 0 } } });

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
