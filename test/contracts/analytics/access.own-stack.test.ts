import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runBin } from '@email-events/cli/testing';
import { Secret } from '@email-events/core';
import {
  type ClickHouse,
  type ClickHouseAddress,
  connect,
  migrate,
  relationsOf,
} from '@email-events/sink-clickhouse';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mayHavePseudonyms } from '../../../deploy/cli/src/analytics/story.ts';
import { ProcessComponent } from '../../../deploy/dev/src/stack/local/process-component.ts';
import { prepareClickhouse } from '../../../deploy/dev/src/stack/local/specs.ts';
import { STACK_FILES } from '../../../deploy/dev/src/stack/versions.ts';
import { watchProcesses } from '../../../deploy/dev/src/stack/watchdog.ts';
import { freePort } from '../../harness/ports.ts';
import { randomEvents } from './events.ts';
import { writeEvents } from './world.ts';

// The files that `clickhouse access` prints, in a real server: what an analyst can and cannot do.

const folder = mkdtempSync(join(tmpdir(), 'access-'));
const events = randomEvents(31, 2_000);
const ofMain = events.filter(({ source }) => source === 'main');
const LIMITS = ['--memory', '100', '--seconds', '2', '--rows', '1000', '--threads', '2'];
const PASSWORD = 'correct horse <battery> & staple';
const watchdog = watchProcesses();
let server: ProcessComponent;
let owner: ClickHouse;
let analyst: ClickHouse;
let agency: ClickHouse;
let address: ClickHouseAddress;

beforeAll(async () => {
  cpSync(join(STACK_FILES, 'clickhouse'), folder, { recursive: true });
  const config = join(folder, 'pipeline.yaml');
  const port = await freePort();
  address = { url: `http://127.0.0.1:${port}`, database: 'email', username: 'default' };
  const { url, username } = address;
  const sources = { main: { esp: 'ses' } };
  writeFileSync(config, JSON.stringify({ sinks: { clickhouse: { url, username } }, sources }));
  const access = async (user: string, ...more: string[]) => {
    const env = { EMAIL_EVENTS_HOME: folder, AGENCY: PASSWORD };
    const { code, out, err } = await runBin(['clickhouse', 'access', user, ...more, '--config', config], {
      env,
    });
    expect([code, err]).toEqual([0, '']);
    expect(out).not.toContain('horse');
    writeFileSync(join(folder, 'users.d', `${user}.xml`), out);
  };
  await access('anna', ...LIMITS);
  await access('agency', ...LIMITS, '--password', 'env:AGENCY', '--source', 'main');
  const spec = await prepareClickhouse({
    ...{ dataDir: join(folder, 'data'), logFile: join(folder, 'log'), port },
    config: join(folder, 'config.xml'),
  });
  server = new ProcessComponent(spec, watchdog);
  await server.start();
  owner = connect(address);
  analyst = connect({ ...address, username: 'anna' });
  agency = connect({ ...address, username: 'agency', password: new Secret(PASSWORD) });
  await migrate(address);
  await writeEvents({ address, clickhouse: owner }, events);
});

afterAll(async () => {
  for (const client of [owner, analyst, agency]) await client?.close();
  await server?.stop();
  await watchdog.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What analysts are not let at, each for a reason of its own: bytes of requests, and what only releases of before read. */
const WITHHELD = ['dead_letters', 'message_states'];
/** Views that are asked with a parameter. */
const WITH_A_PARAMETER = ['recipient_story', 'recipient_messages', 'event_origin'];
const countOf = async (client: ClickHouse, sql: string) =>
  Number((await client.query<{ n: string }>(sql))[0]?.n);
const refusal = (client: ClickHouse, sql: string) =>
  client.command(sql).then(
    () => 'was done',
    ({ code }: { code: string }) => Number(code),
  );
const NO_RIGHT = 497;
const UNKNOWN = 60;

test('relations are told from the migrations as they are in the server', async () => {
  const found = await owner.query(
    `SELECT t.name AS name, if(t.engine = 'View', 'view', 'table') AS kind,
       t.engine != 'View' AND t.name IN (SELECT table FROM system.columns WHERE database = 'email' AND name = 'source') AS bySource
     FROM system.tables AS t WHERE t.database = 'email' AND t.engine != 'MaterializedView' AND t.name NOT LIKE 'schema_%' ORDER BY name`,
  );
  expect(relationsOf().map((relation) => ({ ...relation, bySource: relation.bySource ? 1 : 0 }))).toEqual(
    found,
  );
});

test('an analyst reads every view but that for releases of before, and not the letters with bytes of requests', async () => {
  for (const { name, kind } of relationsOf())
    if (kind === 'view' && !WITH_A_PARAMETER.includes(name) && !WITHHELD.includes(name))
      expect(await countOf(analyst, `SELECT count() AS n FROM ${name}`), name).toBeGreaterThanOrEqual(0);
  expect(await countOf(analyst, 'SELECT count() AS n FROM email_events')).toBe(events.length);
  for (const client of [analyst, agency])
    for (const name of WITHHELD) expect(await refusal(client, `SELECT * FROM ${name}`), name).toBe(NO_RIGHT);
  expect(await refusal(analyst, 'SELECT query FROM system.processes')).toBe(NO_RIGHT);
  expect([NO_RIGHT, UNKNOWN]).toContain(await refusal(analyst, 'SELECT query FROM system.query_log'));
});

test.each([
  ['time', 'SELECT sum(cityHash64(number, repeat(toString(number), 40))) FROM numbers(1000000000)', 159],
  ['memory', 'SELECT length(groupArray(number)) FROM numbers(100000000)', 241],
  ['rows of the result', 'SELECT number FROM numbers(1001)', 396],
  ['rows that are read', 'SELECT count() FROM numbers(3000000000)', 158],
])('a query is stopped by its %s', async (_, sql, code) => {
  expect(await refusal(analyst, sql)).toBe(code);
});

const [LOCKED, TOO_FAR] = [164, 452];

test.each<[setting: string, value: number | string, outcome: number | 'was done']>([
  ['max_execution_time', 0, TOO_FAR],
  ['max_execution_time', 3, TOO_FAR],
  ['max_memory_usage', 0, TOO_FAR],
  ['max_memory_usage', 2_000_000_000, TOO_FAR],
  ['max_result_rows', 0, TOO_FAR],
  ['max_result_rows', 1_001, TOO_FAR],
  ['max_rows_to_read', 0, TOO_FAR],
  ['max_rows_to_read', 4_000_000_000, TOO_FAR],
  ['max_threads', 64, TOO_FAR],
  ['readonly', 0, LOCKED],
  ['max_memory_usage_for_user', 0, LOCKED],
  ['max_concurrent_queries_for_user', 0, LOCKED],
  ['max_untracked_memory', 0, LOCKED],
  ['timeout_overflow_mode', "'break'", LOCKED],
  ['read_overflow_mode', "'break'", LOCKED],
  ['log_queries', 0, LOCKED],
  ['max_execution_time', 1, 'was done'],
  ['output_format_json_quote_64bit_integers', 0, 'was done'],
  ['session_timezone', "'Europe/Berlin'", 'was done'],
])('an analyst sets %s to %s: %s', async (name, value, outcome) => {
  expect(await refusal(analyst, `SELECT 1 SETTINGS ${name} = ${value}`)).toBe(outcome);
});

test('what tools send along is taken: the play page, Grafana', async () => {
  const status = async (settings: { readonly [name: string]: string }) => {
    const url = new URL(address.url);
    url.search = new URLSearchParams({ user: 'anna', database: 'email', ...settings }).toString();
    const response = await fetch(url, { method: 'POST', body: 'SELECT count() FROM campaign_performance' });
    return [response.status, response.ok ? '' : await response.text()];
  };
  const cache = {
    ...{ use_query_cache: '1', enable_reads_from_query_cache: '0', enable_writes_to_query_cache: '1' },
    ...{ query_cache_ttl: '600', query_cache_nondeterministic_function_handling: 'save' },
    query_cache_system_table_handling: 'ignore',
  };
  const page = { add_http_cors_header: '1', default_format: 'JSON', enable_http_compression: '1', ...cache };
  expect(await status(page)).toEqual([200, '']);
  expect(await status({ max_execution_time: '2', default_format: 'Native' })).toEqual([200, '']);
  expect((await status({ query_cache_max_size_in_bytes: '0' }))[0]).not.toBe(200);
});

test('an analyst writes, makes and reaches nothing', async () => {
  for (const sql of [
    "INSERT INTO email_events_hourly (hour) VALUES ('2026-01-01 00:00:00')",
    'ALTER TABLE email_events DELETE WHERE true',
    'TRUNCATE TABLE email_events',
    'DROP TABLE email_events',
    'CREATE TABLE mine (n Int32) ENGINE = MergeTree ORDER BY n',
    'CREATE VIEW mine AS SELECT 1',
    'CREATE TEMPORARY TABLE mine (n Int32)',
    'OPTIMIZE TABLE email_events',
    `KILL QUERY WHERE true`,
    'SYSTEM FLUSH LOGS',
    "SELECT * FROM file('users.xml', 'LineAsString')",
    `SELECT * FROM url('${address.url}/ping', 'LineAsString')`,
    "SELECT * FROM remote('127.0.0.2', 'email', 'email_events')",
    "INSERT INTO FUNCTION file('x.csv', 'CSV', 'n Int32') VALUES (1)",
  ])
    expect([NO_RIGHT, LOCKED], sql).toContain(await refusal(analyst, sql));
  expect(await countOf(owner, 'SELECT count() AS n FROM email_events')).toBe(events.length);
});

test('rows of other sources are unseen, in tables, views and whatever reads these', async () => {
  expect(ofMain.length).toBeLessThan(events.length);
  expect(await countOf(agency, 'SELECT count() AS n FROM email_events')).toBe(ofMain.length);
  for (const { name, bySource } of relationsOf())
    if (bySource && !WITHHELD.includes(name))
      expect(await countOf(agency, `SELECT countIf(source != 'main') AS n FROM ${name}`), name).toBe(0);
  for (const view of [
    'messages',
    'campaign_performance',
    'campaign_reactions',
    'deliverability_daily',
    'source_freshness',
  ]) {
    const sources = await agency.query(`SELECT DISTINCT source FROM ${view}`);
    expect(sources, view).toEqual([{ source: 'main' }]);
  }
  const inHours = `SELECT sum(events) AS n FROM events_hourly`;
  expect(await countOf(agency, inHours)).toBe(ofMain.length);
  // Roundabout ways.
  for (const sql of [
    "SELECT count() AS n FROM merge('email', '^email_events$') WHERE source != 'main'",
    'SELECT count() AS n FROM email_events_hourly_mv',
    'SELECT count() AS n FROM suppressions_current',
    'SELECT count() AS n FROM list_hygiene',
  ]) {
    const rows = await agency.query<{ n: string }>(sql).catch(({ code }) => Number(code));
    expect([NO_RIGHT, LOCKED, 344], `${sql}: ${JSON.stringify(rows)}`).toContain(
      typeof rows === 'number' ? rows : rows[0]?.n === '0' ? NO_RIGHT : rows,
    );
  }
  // What the server itself does not filter, as TRUST.md says: the sort key of the first row of each 8,192.
  const keys = "SELECT count() AS n FROM mergeTreeIndex('email', 'email_events')";
  expect(await countOf(agency, keys)).toBeLessThan(10);
  // Who has no filter sees all, the sink for one.
  expect(await countOf(owner, 'SELECT count() AS n FROM email_events')).toBe(events.length);
});

test('reports of the command line work for such a user', async () => {
  const config = join(folder, 'analyst.yaml');
  const clickhouse = { url: address.url, username: 'anna' };
  writeFileSync(config, JSON.stringify({ sinks: { clickhouse } }));
  const env = { EMAIL_EVENTS_HOME: folder };
  for (const words of [
    ['report', 'campaign'],
    ['recipient', events[0]?.recipient ?? ''],
    ['recipient', 'nobody.knows@example.com'],
  ]) {
    const { code, err } = await runBin([...words, '--config', config], { env });
    expect([code, err]).toEqual([0, '']);
  }
  // Of an address that is not known the command asks this too, and goes without the answer if need be.
  expect(await mayHavePseudonyms(analyst)).toBe(false);
});
