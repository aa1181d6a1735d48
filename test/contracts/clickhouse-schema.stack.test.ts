import { createLogger } from '@email-events/core';
import { type EmailEvent, recipientKey, topics } from '@email-events/schemas';
import {
  type ClickHouse,
  type ClickHouseAddress,
  type ClickHouseValue,
  connect,
  createClickHouseSink,
  migrate,
  planMigrations,
  readMigrations,
} from '@email-events/sink-clickhouse';
import { expect, onTestFinished, test } from 'vitest';
import { eventOf } from '../bench/typed-events.ts';
import { useStack, waitFor } from '../harness/stack.ts';

const log = createLogger('clickhouse-schema', 'silent');
const { signal } = new AbortController();

test('migrations are planned, applied once, and applying them again changes nothing', async () => {
  const { address, clickhouse } = await makeDatabase();
  const all = readMigrations().map(({ version }) => version);
  const plan = await planMigrations(address);
  expect(plan.applied).toEqual([]);
  expect(plan.pending.map(({ version }) => version)).toEqual(all);
  expect((await migrate(address)).pending.map(({ version }) => version)).toEqual(all);
  expect((await migrate(address)).pending).toEqual([]);
  expect((await planMigrations(address)).applied.map(({ version }) => version)).toEqual(all);
  const ledger = await clickhouse.query(`SELECT version FROM ${address.database}.schema_migrations`);
  expect(ledger).toHaveLength(all.length);
});

test('a file that was edited after it was applied is refused and nothing is changed', async () => {
  const { address } = await makeDatabase();
  const [first, ...later] = readMigrations();
  if (!first) throw new Error('no migrations');
  await migrate(address, [first]);
  const edited = [{ ...first, checksum: 'other' }, ...later];
  await expect(migrate(address, edited)).rejects.toMatchObject({ code: 'SINK_CLICKHOUSE_MIGRATION_EDITED' });
  await expect(migrate(address, later)).rejects.toMatchObject({ code: 'SINK_CLICKHOUSE_MIGRATION_EDITED' });
  expect((await planMigrations(address)).applied).toHaveLength(1);
});

test('a release goes on where a newer one has added, and not where it has taken away', async () => {
  const { address, clickhouse } = await makeDatabase({ migrated: true });
  const all = readMigrations();
  const older = all.slice(0, -2);
  const added = all.slice(-2).map(({ version }) => version);
  expect((await migrate(address, older)).newer.map(({ version }) => version)).toEqual(added);
  expect((await planMigrations(address, older)).pending).toEqual([]);

  const version = all.length + 1;
  const sql = 'ALTER TABLE {{database}}.email_events {{on_cluster}} DROP COLUMN IF EXISTS no_such;\n';
  await migrate(address, [...all, { version, name: 'takes_away', checksum: 'x', sql }]);
  await expect(migrate(address, all)).rejects.toMatchObject({ code: 'SINK_CLICKHOUSE_MIGRATION_EDITED' });

  // A ledger of a release that did not say so yet: what it has is known here, and what comes is said.
  await clickhouse.command(
    `ALTER TABLE ${address.database}.schema_migrations DELETE WHERE version >= ${version - 1} SETTINGS mutations_sync = 2`,
  );
  await clickhouse.command(`ALTER TABLE ${address.database}.schema_migrations DROP COLUMN additive`);
  expect((await planMigrations(address)).applied).toHaveLength(all.length - 1);
  await migrate(address);
  expect((await planMigrations(address, all.slice(0, -1))).newer).toHaveLength(1);
});

test('migrations only add: what a table or a view has, it keeps, and a column of a table its type, unless it becomes a view', async () => {
  const { address, clickhouse } = await makeDatabase();
  const all = readMigrations();
  let before: ReadonlyMap<string, string> = new Map();
  for (const { version, name } of all) {
    await migrate(address, all.slice(0, version));
    const columns = await clickhouse.query<{ column: string; type: string }>(
      `SELECT concat(c.table, '.', c.name) AS column, if(t.engine LIKE '%MergeTree', c.type, '') AS type
       FROM system.columns AS c INNER JOIN system.tables AS t ON t.database = c.database AND t.name = c.table
       WHERE c.database = {database:String} AND t.engine != 'MaterializedView'`,
      { database: address.database },
    );
    const now = new Map(columns.map(({ column, type }) => [column, type]));
    const lost = [...before].filter(
      ([column, type]) => !now.has(column) || (now.get(column) !== '' && now.get(column) !== type),
    );
    expect(lost, `${version} ${name}`).toEqual([]);
    before = now;
  }
  expect(before.size).toBeGreaterThan(100);
});

test('a file that failed half way is finished the next time', async () => {
  const { address } = await makeDatabase();
  const files = readMigrations();
  const broken = files.map((file) =>
    file.version === 3 ? { ...file, sql: `${file.sql}\nNONSENSE;` } : file,
  );
  await expect(migrate(address, broken)).rejects.toThrow();
  expect((await planMigrations(address)).applied).toHaveLength(2);
  await migrate(address);
  expect((await planMigrations(address)).pending).toEqual([]);
});

test('a table that is larger than the server lets anybody drop gives way to a view', async () => {
  const { address, clickhouse } = await makeDatabase();
  const { database, url } = address;
  // Whoever connects here may drop tables of a byte: a server has such a limit for all, of 50 GB by default.
  const limited = { ...address, url: `${url}?ch_max_table_size_to_drop=1` };
  const connection = connect({ ...limited, database: 'default' });
  onTestFinished(() => connection.close());
  const all = readMigrations();
  const before = all.filter(({ version }) => version < 18);
  await migrate(limited, before);
  await clickhouse.command(
    `INSERT INTO ${database}.email_events (event_id, type, occurred_at, received_at, esp, source, recipient_key, message_id, campaign)
     VALUES ('a', 'delivered', now(), now(), 'ses', 'main', 'ann@example.com', 'm', 'autumn')`,
  );
  const states = `SELECT campaign FROM ${database}.message_states`;
  expect(await clickhouse.query(states)).toHaveLength(1);
  await connection.command(`CREATE TABLE ${database}.probe ENGINE = MergeTree ORDER BY n AS SELECT 1 AS n`);
  const replaced = connection.command(`CREATE OR REPLACE VIEW ${database}.probe AS SELECT 1 AS n`);
  await expect(replaced).rejects.toMatchObject({ type: 'TABLE_SIZE_EXCEEDS_MAX_DROP_SIZE_LIMIT' });

  await migrate(limited);
  const [row] = await clickhouse.query<{ engine: string }>(
    `SELECT engine FROM system.tables WHERE database = {database:String} AND name = 'message_states'`,
    { database },
  );
  expect(row).toEqual({ engine: 'View' });
  expect(await clickhouse.query(states)).toEqual([{ campaign: 'autumn' }]);
});

test('rows are kept as long as is configured, batches that come again stay out, and a change is applied', async () => {
  const { clickhouse, address } = await makeDatabase({ migrated: true });
  const day = 86_400_000;
  const event = (id: string, days: number) => ({
    ...{ ...eventOf(0), event_id: id, occurred_at: Date.now() - days * day, recipient: `${id}@example.com` },
  });
  const events = [event('old', 40), event('new', 5)];
  await insert(address, events);
  const limited = { ...address, keepEventsDays: 30, keepMessagesDays: 20, keepDeadLettersDays: 10 };
  expect((await planMigrations(limited)).keep).toHaveLength(3);
  expect((await migrate(limited)).keep).toHaveLength(3);
  expect((await migrate(limited)).keep).toEqual([]);
  const left = async (table: string) => {
    await clickhouse.command(`OPTIMIZE TABLE ${table} FINAL`);
    const rows = await clickhouse.query<{ key: string }>(
      `SELECT DISTINCT recipient_key AS key FROM ${table}`,
    );
    return rows.map(({ key }) => key).sort();
  };
  await waitFor('what is too old to go', async () => (await left('email_events')).length === 1, 30_000);
  await insert(address, events);
  for (const table of ['email_events', 'message_facts'])
    expect(await left(table), table).toEqual(['new@example.com']);
  const [counted] = await clickhouse.query<{ n: string }>('SELECT sum(events) AS n FROM events_hourly');
  expect(counted?.n).toBe('2');

  expect((await migrate({ ...address, keepMessagesDays: 365 })).keep).toHaveLength(3);
  expect((await planMigrations({ ...address, keepMessagesDays: 365 })).keep).toEqual([]);
  const engines = await clickhouse.query<{ name: string; engine_full: string }>(
    'SELECT name, engine_full FROM system.tables WHERE database = currentDatabase()',
  );
  const withTtl = engines.filter(({ engine_full }) => engine_full.includes(' TTL '));
  expect(withTtl.map(({ name }) => name)).toEqual(['message_facts']);
});

test('every column of every table and view says what it means', async () => {
  const { clickhouse, address } = await makeDatabase({ migrated: true });
  const silent = await clickhouse.query(
    `SELECT table, name FROM system.columns
     WHERE database = {database:String} AND comment = '' AND table NOT LIKE '%\\_mv'`,
    { database: address.database },
  );
  expect(silent).toEqual([]);
});

test('reports count people once, keep machines apart and tell variants apart', async () => {
  const { clickhouse, address } = await makeDatabase({ migrated: true });
  await insert(address, [
    ...people('A', 100, 'delivered'),
    ...people('A', 30, 'opened'),
    ...people('A', 30, 'opened', { event: 'again' }),
    ...people('A', 50, 'opened', { event: 'machine', is_machine: true }),
    ...people('A', 5, 'clicked'),
    ...people('B', 100, 'delivered'),
    ...people('B', 60, 'opened'),
    ...people('B', 10, 'bounced', { event: 'b', bounce_class: 'hard' }),
  ]);
  const [a, b] = await clickhouse.query<Record<string, unknown>>(
    'SELECT * FROM campaign_performance WHERE campaign = {campaign:String} ORDER BY variant',
    { campaign: 'autumn' },
  );
  expect(a).toMatchObject({
    delivered: '100',
    opened: '30',
    opens: '60',
    machine_opens: '50',
    clicked: '5',
    open_rate: 0.3,
  });
  // Ten of them bounced when they had been delivered.
  expect(b).toMatchObject({ sent: '100', delivered: '90', opened: '60', bounced_hard: '10' });
  expect(b?.open_rate).toBeCloseTo(60 / 90);
  const comparison = await clickhouse.query<Record<string, unknown>>(
    'SELECT * FROM ab_comparison ORDER BY variant',
  );
  expect(comparison).toMatchObject([
    { variant: 'A', open_verdict: 'worse', click_verdict: 'undecided' },
    { variant: 'B', open_verdict: 'better', click_verdict: 'undecided' },
  ]);
  expect(comparison[0]?.open_rate_of_others).toBeCloseTo(60 / 90);
  // By hand: 30 of 100 against 60 of 90, as ab-comparison.test.ts has it.
  expect(comparison[0]?.open_difference_low).toBeCloseTo(-0.70865, 4);
  expect(comparison[0]?.open_difference_high).toBeCloseTo(-0.02469, 4);
  expect(comparison[0]?.open_p_value).toBeCloseTo(0.03124, 4);
  const [domain] = await clickhouse.query<Record<string, unknown>>('SELECT * FROM deliverability_by_domain');
  expect(domain).toMatchObject({ attempted: '200', delivered: '190', bounced_hard: '10' });
  const timeline = await clickhouse.query<{ type: string; detail: string }>(
    'SELECT type, detail FROM recipient_timeline WHERE recipient_key = {key:String} ORDER BY event_id',
    { key: 'b1@example.com' },
  );
  expect(timeline.map(({ type }) => type).sort()).toEqual(['bounced', 'delivered', 'opened']);
  const byType = await clickhouse.query<{ type: string; events: string }>(
    'SELECT type, events FROM events_by_esp_and_type',
  );
  expect(Object.fromEntries(byType.map(({ type, events }) => [type, Number(events)]))).toEqual({
    bounced: 10,
    clicked: 5,
    delivered: 200,
    opened: 170,
  });
});

test('a row says where its time is from and whose it is; one from before that says what held then', async () => {
  const { clickhouse, address } = await makeDatabase();
  const table = `${address.database}.email_events`;
  await migrate(
    address,
    readMigrations().filter(({ version }) => version < 7),
  );
  await clickhouse.command(
    `INSERT INTO ${table} (event_id, type, occurred_at, received_at, esp) VALUES ('a', 'opened', 1, 2, 'ses')`,
  );
  await migrate(address);
  const bounded = { occurred_at_source: 'bounded', occurred_at_said: '2099-01-01T00:00:00.000Z' } as const;
  await insert(address, [{ ...eventOf(0), event_id: 'b', ...bounded, account: 'shop' }]);
  const rows = await clickhouse.query(
    `SELECT event_id, occurred_at_source, occurred_at_said, account FROM ${table} ORDER BY event_id`,
  );
  expect(rows).toEqual([
    { event_id: 'a', occurred_at_source: 'esp', occurred_at_said: null, account: null },
    { event_id: 'b', ...bounded, account: 'shop' },
  ]);
});

test('of a recipient the state that was written last counts, and an erased one is gone', async () => {
  const { clickhouse, address } = await makeDatabase({ migrated: true });
  const state = (recipient: string, suppressed: boolean) => ({
    topic: topics.suppressions,
    key: recipient,
    value: {
      recipient,
      suppressed,
      reasons: [],
      changed_at: 1_790_000_000_000,
      event_id: 'e',
      revision: 0,
    } as ClickHouseValue,
    timestamp: 0,
    attempts: 0,
  });
  const sink = createClickHouseSink(connect(address), log);
  await sink.write({ id: '1', records: [state('a', true), state('b', true), state('c', true)] }, signal);
  await sink.write({ id: '2', records: [state('a', false), { ...state('b', true), value: null }] }, signal);
  await sink.close();
  const states = await clickhouse.query(
    'SELECT recipient, suppressed FROM suppressions_current ORDER BY recipient',
  );
  expect(states).toEqual([
    { recipient: 'a', suppressed: false },
    { recipient: 'c', suppressed: true },
  ]);
});

test('a state from before accounts were told apart has reasons without them', async () => {
  const { clickhouse, address } = await makeDatabase();
  await migrate(
    address,
    readMigrations().filter(({ version }) => version < 8),
  );
  const table = `${address.database}.suppressions`;
  const old = `[('complaint', 'all', 5, 'ses', 'main', 'e', NULL), ('unsubscribe', 'news', 6, 'ses', 'main', 'f', 'x')]`;
  await clickhouse.command(
    `INSERT INTO ${table} (recipient, suppressed, reasons, changed_at, event_id) VALUES ('old', true, ${old}, 6, 'f')`,
  );
  await migrate(address);
  const reason = { reason: 'complaint', scope: 'all', since: 5, esp: 'ses', source: 'main', event_id: 'e' };
  const value = {
    ...{ recipient: 'new', suppressed: true, changed_at: 5, event_id: 'e', revision: 7 },
    reasons: [{ ...reason, detail: null, account: 'shop' }],
  } as ClickHouseValue;
  const sink = createClickHouseSink(connect(address), log);
  const record = { topic: topics.suppressions, key: 'new', value, timestamp: 0, attempts: 0 };
  await sink.write({ id: '1', records: [record] }, signal);
  await sink.close();
  const states = await clickhouse.query(
    `SELECT recipient, revision, reasons.reason AS reasons, reasons.account AS accounts FROM ${table}_current ORDER BY recipient`,
  );
  expect(states).toEqual([
    { recipient: 'new', revision: '7', reasons: ['complaint'], accounts: ['shop'] },
    { recipient: 'old', revision: '0', reasons: ['complaint', 'unsubscribe'], accounts: [null, null] },
  ]);
});

test('bytes of dead letters come out as they went in', async () => {
  const { clickhouse, address } = await makeDatabase({ migrated: true });
  const letter = {
    ...{
      stage: 'normalize',
      code: 'X',
      message: 'm',
      attempts: 1,
      first_at: 1,
      last_at: 2,
      origin_topic: 't',
    },
    ...{
      origin_partition: 0,
      origin_offset: 7,
      item_index: null,
      esp: null,
      source: null,
      request_id: null,
      item: null,
    },
    ...{ key: Buffer.from('key'), value: Buffer.from([0, 255, 10]), headers: { h: Buffer.from('v') } },
    ...{ recorded_at: 3, status: 'open', status_at: null, replays: 0, note: null },
  };
  const records = [
    { topic: topics.deadLetters, key: 'k', value: letter as ClickHouseValue, timestamp: 0, attempts: 0 },
  ];
  const sink = createClickHouseSink(connect(address), log);
  await sink.write({ id: '1', records }, signal);
  await sink.close();
  const [row] = await clickhouse.query('SELECT key, hex(value) AS value, item, headers FROM dead_letters');
  expect(row).toEqual({ key: 'key', value: '00FF0A', item: null, headers: { h: 'v' } });
});

async function makeDatabase({
  migrated = false,
} = {}): Promise<{ address: ClickHouseAddress; clickhouse: ClickHouse }> {
  const { clickhouseAt, uniqueDatabase } = useStack();
  const database = uniqueDatabase('schema');
  const address = clickhouseAt(database);
  if (migrated) await migrate(address);
  const clickhouse = connect(migrated ? address : { ...address, database: 'default' });
  onTestFinished(async () => {
    await clickhouse.command(`DROP DATABASE IF EXISTS ${database}`);
    await clickhouse.close();
  });
  return { address, clickhouse };
}

function people(
  variant: string,
  count: number,
  type: EmailEvent['type'],
  { event = '', ...rest }: Partial<EmailEvent> & { event?: string } = {},
): EmailEvent[] {
  return Array.from({ length: count }, (_, n) => ({
    ...eventOf(0),
    ...{ type, variant, campaign: 'autumn', recipient_domain: 'example.com', is_machine: null },
    event_id: `${variant}${type}${event}${n}`,
    recipient: `${variant}${n}@Example.com`,
    ...rest,
  }));
}

async function insert(address: ClickHouseAddress, events: readonly EmailEvent[]): Promise<void> {
  const sink = createClickHouseSink(connect(address), log);
  const records = events.map((event) => ({
    topic: topics.events(event.type),
    key: recipientKey(event.recipient),
    value: event as ClickHouseValue,
    timestamp: 0,
    attempts: 0,
  }));
  await sink.write({ id: 'reports', records }, signal);
  await sink.close();
}
