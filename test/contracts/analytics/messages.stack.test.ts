import { createRandom } from '@email-events/dev/simulate';
import type { EmailEvent } from '@email-events/schemas';
import { type ClickHouse, connect, migrate, readMigrations } from '@email-events/sink-clickhouse';
import { expect, onTestFinished, test } from 'vitest';
import { statementsOf } from '../../../sinks/clickhouse/src/statements.ts';
import { readRollups } from '../../faults/rollups.ts';
import { waitFor } from '../../harness/stack.ts';
import { eventWith, fixtureEvents, randomEvents } from './events.ts';
import { expectedMessages, type MessageRow, sorted } from './expected-messages.ts';
import { type Database, makeDatabase, markEvents, writeEvents } from './world.ts';

// `messages` against what this test computes of the same events by itself.

test('every fixture of every ESP, in any order, in batches that come twice', async () => {
  const database = await makeDatabase();
  const events = fixtureEvents();
  expect(new Set(events.map(({ esp }) => esp)).size).toBeGreaterThanOrEqual(19);
  await writeShuffled(database, events, 1);
  await expectMessages(database, events);
});

test.each([1, 2, 3])(
  'random events (%i): late, in no order, twice in one batch and in others',
  async (seed) => {
    const database = await makeDatabase();
    const events = randomEvents(seed, 3_000);
    const scopes = expectedMessages(events).map(({ unsubscribe_scope }) => unsubscribe_scope);
    expect(new Set(scopes)).toEqual(new Set(['', 'Weekly', 'Weekly, news', 'all', 'news']));
    await writeShuffled(database, events, seed);
    // A replay that nothing before has recognised: the row is in the table of events twice.
    await writeEvents(database, events.slice(0, 400));
    await expectMessages(database, events);
    await database.clickhouse.command('OPTIMIZE TABLE message_facts FINAL');
    await expectMessages(database, events);
    expect((await readRollups(database.clickhouse)).flatMap(({ differs }) => differs)).toEqual([]);
  },
);

test('messages end as the report of domains says, where the ESP names them', async () => {
  const database = await makeDatabase();
  const named = randomEvents(4, 2_000).filter(
    ({ esp_message_id, recipient }) => esp_message_id !== null && recipient !== '',
  );
  await writeShuffled(database, named, 4);
  const ended = (name: string) => `countIf(outcome = '${name}')`;
  const columns = 'recipient_domain, esp, source, attempted, delivered, bounced_hard, bounced_soft, dropped';
  const byMessages = await database.clickhouse.query(
    `SELECT recipient_domain, esp, source, countIf(outcome IN ('delivered', 'hard_bounced', 'soft_bounced', 'dropped')) AS attempted,
       ${ended('delivered')} AS delivered, ${ended('hard_bounced')} AS bounced_hard, ${ended('soft_bounced')} AS bounced_soft,
       ${ended('dropped')} AS dropped
     FROM messages GROUP BY recipient_domain, esp, source ORDER BY recipient_domain, esp, source`,
  );
  expect(byMessages.length).toBeGreaterThan(5);
  expect(byMessages).toEqual(
    await database.clickhouse.query(
      `SELECT ${columns} FROM deliverability_by_domain ORDER BY recipient_domain, esp, source`,
    ),
  );
});

test('an event that is marked says nothing of its message, and says it again when the mark is taken back', async () => {
  const database = await makeDatabase();
  const events = randomEvents(5, 1_500);
  const forged = events.filter((_, n) => n % 7 === 0);
  await writeShuffled(database, events, 5);
  await markEvents(database, forged, 'forged', 1);
  await expectMessages(
    database,
    events.filter((event) => !forged.includes(event)),
    { marked: true },
  );
  await markEvents(database, forged, 'none', 2);
  await expectMessages(database, events);
});

test('one recipient, one message and one campaign are found without reading all', async () => {
  const database = await makeDatabase();
  // Two granules at least, so that there is something to leave out.
  const events = Array.from({ length: 20_000 }, (_, n) =>
    eventWith('delivered', {
      ...{
        event_id: `${n}`,
        esp: 'ses',
        source: 'main',
        esp_message_id: `m${n}`,
        campaign: `week-${n % 40}`,
      },
      ...{ recipient: `r${n}@example.com`, occurred_at: 1_790_000_000_000, received_at: 1_790_000_000_000 },
    }),
  );
  await writeEvents(database, events);
  await database.clickhouse.command('OPTIMIZE TABLE message_facts FINAL');
  const read = async (what: string) => {
    const plan = await database.clickhouse.query<{ explain: string }>(`EXPLAIN indexes = 1 ${what}`);
    const text = plan.map(({ explain }) => explain).join('\n');
    // Of the table itself: what is marked is read from another one.
    const [, own = ''] = /message_facts\)\n(.*?)\n *(?:│ *)?Ranges:/s.exec(text) ?? [];
    const [, some, all] = [...own.matchAll(/Granules: (\d+)\/(\d+)/g)].at(-1) ?? [];
    expect(Number(some), own).toBeLessThan(Number(all));
    return own;
  };
  expect(await read("SELECT * FROM messages WHERE recipient_key = 'r7@example.com'")).toContain(
    'by_recipient',
  );
  expect(await read("SELECT * FROM recipient_messages(address = 'r7@example.com')")).toContain(
    'by_recipient',
  );
  expect(await read("SELECT recipient_key FROM message_facts WHERE message = 'm7'")).toContain('by_message');
  expect(await read("SELECT count() FROM message_facts WHERE campaign = 'week-7'")).toContain('PrimaryKey');
});

test('an event is traced to its bytes, with what came in the same request and who marked it', async () => {
  const database = await makeDatabase();
  const event = (id: string, offset: number, item: number) =>
    eventWith('opened', {
      ...{
        event_id: id,
        esp: 'ses',
        source: 'main',
        recipient: `${id}@web.de`,
        occurred_at: 1_790_000_000_000,
      },
      ...{ request_id: `r${offset}`, raw_partition: 3, raw_offset: offset, item_index: item },
    });
  const events = [event('b', 7, 1), event('a', 7, 0), event('c', 8, 0)];
  await writeEvents(database, events, { times: 2 });
  await markEvents(database, events.slice(0, 1), 'forged', 5);
  const rows = await database.clickhouse.query(
    "SELECT event_id, request_id, raw_topic, raw_partition, raw_offset, item_index, is_asked_for, marks_of_it FROM event_origin(event_id = 'b')",
  );
  const marks_of_it = [['1970-01-01 00:00:00.005', 'forged', 'maria', 'secret leaked']];
  const place = { request_id: 'r7', raw_topic: 'email.raw', raw_partition: 3, raw_offset: '7', marks_of_it };
  expect(rows).toEqual([
    { ...place, event_id: 'a', item_index: 0, is_asked_for: 0 },
    { ...place, event_id: 'b', item_index: 1, is_asked_for: 1 },
  ]);
});

const before = () => readMigrations().filter(({ version }) => version < 18);

test('an upgrade fills the table from the events there are, while others come, and goes on where it was ended', async () => {
  const database = await makeDatabase(before());
  const events = randomEvents(6, 3_000);
  await writeShuffled(database, events.slice(0, 2_000), 6);
  const days = new Set(events.slice(0, 2_000).map(({ occurred_at }) => Math.floor(occurred_at / 86_400_000)));
  const ended = migrate(database.address, undefined, ({ done }) => {
    if (done === 5) throw new Error('killed');
  });
  await expect(ended).rejects.toThrow('killed');
  const filled = () => database.clickhouse.query('SELECT day FROM schema_fills WHERE version = 18');
  expect(await filled()).toHaveLength(5);

  let stop = false;
  const writing = (async () => {
    let at = 2_000;
    for (; at < events.length && !stop; at += 20)
      await writeEvents(database, events.slice(at, at + 20), { times: 2 });
    return events.slice(0, Math.min(at, events.length));
  })();
  const progress: number[] = [];
  await migrate(database.address, undefined, ({ done }) => void progress.push(done));
  stop = true;
  const written = await writing;
  expect(progress.at(-1)).toBeGreaterThanOrEqual(days.size);
  await expectMessages(database, written);
  // Each day once, though it was begun twice.
  const rows = await filled();
  expect(new Set(rows.map((row) => JSON.stringify(row))).size).toBe(rows.length);
});

test('an insert that began before the table was there is in it', async () => {
  const database = await makeDatabase(before());
  const { clickhouse } = database;
  await clickhouse.command('CREATE TABLE slow (event_id String, slept UInt8) ENGINE = Null');
  await clickhouse.command(
    'CREATE MATERIALIZED VIEW slow_mv TO slow AS SELECT event_id, sleepEachRow(0.05) AS slept FROM email_events',
  );
  const [event] = randomEvents(7, 1);
  const events = Array.from({ length: 40 }, (_, n): EmailEvent => {
    return { ...(event as EmailEvent), type: 'delivered', recipient: `r${n}@example.com`, event_id: `${n}` };
  });
  const inserting = writeEvents(database, events);
  const other = connect(database.address);
  onTestFinished(() => other.close());
  await waitFor('the insert runs', async () => (await runningInserts(other, database.address.database)) > 0);
  await migrate(database.address);
  await inserting;
  const [count] = await clickhouse.query<{ n: string }>('SELECT count() AS n FROM messages');
  expect(Number(count?.n)).toBe(events.length);
});

test('a release before that reads message_states as a table finds there what it did', async () => {
  const database = await makeDatabase();
  const { address, clickhouse } = database;
  const events = randomEvents(8, 1_500);
  await writeShuffled(database, events, 8);
  await markEvents(database, events.slice(0, 50), 'forged', 1);
  const made = readMigrations().find(({ version }) => version === 14);
  const view = statementsOf(made?.sql ?? '', address).find((sql) => sql.includes('.messages '));
  await clickhouse.command((view ?? '').replace('.messages ', '.messages_before '));
  const found = await clickhouse.query<MessageRow>('SELECT * FROM messages_before');
  expect(sorted(found)).toEqual(expectedMessages(events.slice(50)));
});

async function runningInserts(clickhouse: ClickHouse, database: string): Promise<number> {
  const rows = await clickhouse.query(
    "SELECT 1 FROM system.processes WHERE query_kind = 'Insert' AND current_database = {database:String}",
    { database },
  );
  return rows.length;
}

/** In batches of many messages, in no order, each of which is repeated now and then. */
async function writeShuffled(database: Database, events: readonly EmailEvent[], seed: number): Promise<void> {
  const random = createRandom(seed);
  const shuffled = [...events];
  for (let n = shuffled.length - 1; n > 0; n--) {
    const other = random.int(0, n);
    [shuffled[n], shuffled[other]] = [shuffled[other] as EmailEvent, shuffled[n] as EmailEvent];
  }
  for (let from = 0; from < shuffled.length; from += 200)
    await writeEvents(database, shuffled.slice(from, from + 200), { times: random.int(1, 2) });
}

async function expectMessages(
  { clickhouse }: Database,
  events: readonly EmailEvent[],
  { marked = false } = {},
): Promise<void> {
  const expected = expectedMessages(events);
  const found = await clickhouse.query<MessageRow>('SELECT * FROM messages');
  expect(sorted(found)).toEqual(expected);
  // Of some recipients, by themselves.
  const keys = [...new Set(expected.map(({ recipient_key }) => String(recipient_key)))].slice(0, 6);
  for (const key of keys) {
    const own = await clickhouse.query<MessageRow>(
      'SELECT * FROM recipient_messages(address = {address:String})',
      { address: ` ${key.toUpperCase()}\n` },
    );
    const names = Object.keys(own[0] ?? {}).filter((name) => !TEXTS.includes(name) || !marked);
    expect(names.length).toBeGreaterThan(25);
    const only = (row: MessageRow) => Object.fromEntries(names.map((name) => [name, row[name]]));
    const wanted = expected.filter(({ recipient_key }) => recipient_key === key);
    expect(sorted(own).map(only), key).toEqual(wanted.map(only));
  }
}

/** What the quick view of one recipient may have from a marked event. */
const TEXTS = ['campaign', 'variant', 'esp', 'message_id', 'subject'];
