import { EVENT_TYPES, schemas } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { INSERTS_AHEAD_MS, MOST_INSERTS } from './config.ts';
import { isFilling } from './fill.ts';
import { readMigrations } from './migrations.ts';
import { TABLES } from './rows.ts';
import { DEDUPLICATED_INSERTS, statementsOf } from './statements.ts';

const single = { url: 'http://127.0.0.1:8123', database: 'email', username: 'default' };
const allSql = () => readMigrations().map(({ sql }) => sql);

test('files are numbered without a gap and know their checksum', () => {
  const migrations = readMigrations();
  expect(migrations.map(({ version }) => version)).toEqual(migrations.map((_, index) => index + 1));
  for (const { checksum } of migrations) expect(checksum).toMatch(/^[0-9a-f]{64}$/);
});

test('on one server engines are plain and nothing is left to fill in', () => {
  for (const sql of allSql()) {
    for (const statement of statementsOf(sql, single)) {
      // Filling a table again adds nothing: the test of sums below.
      if (isFilling(statement)) {
        expect(statement).toMatch(/^INSERT INTO `email`\.\w+\nSELECT\n/);
        expect(statement.replace(/\{\{each day of \w+\}\}/, '')).not.toMatch(/\{\{|\}\}/);
        continue;
      }
      expect(statement).toMatch(
        /^(--.*\n)*(CREATE (TABLE|VIEW|MATERIALIZED VIEW) IF NOT EXISTS|CREATE OR REPLACE VIEW|ALTER TABLE|DROP VIEW IF EXISTS|RENAME TABLE IF EXISTS) `email`\./,
      );
      // So that a file that failed half way can be run again.
      expect(statement).not.toMatch(/ADD (?!COLUMN IF NOT EXISTS)/);
      expect(statement).not.toMatch(/\{\{|\}\}|ON CLUSTER|Replicated|;$/);
    }
  }
});

test('on a cluster every statement runs everywhere and every table is replicated', () => {
  const statements = allSql().flatMap((sql) => statementsOf(sql, { ...single, cluster: 'main' }));
  for (const statement of statements) {
    // One replica fills, the others get it.
    if (isFilling(statement)) expect(statement).not.toContain('ON CLUSTER');
    else expect(statement).toContain('ON CLUSTER `main`');
    if (/^CREATE TABLE/m.test(statement)) {
      expect(statement).toMatch(/ENGINE = Replicated\w*MergeTree/);
      if (!takesTwiceAsOnce(statement)) expect(statement).toContain('replicated_deduplication_window');
    }
  }
});

/** The same row put together with itself is the same row: what is no key is the least, the greatest or a set. */
function takesTwiceAsOnce(statement: string): boolean {
  if (!statement.includes('AggregatingMergeTree')) return false;
  const [, body = ''] = /\n\(\n(.*?)\n\)\nENGINE/s.exec(statement) ?? [];
  const [, key = ''] = /\nORDER BY \((.*?)\)/.exec(statement) ?? [];
  const columns = body.split('\n').map((line) => line.trim());
  const others = columns.filter(
    (line) => !line.startsWith('INDEX ') && !key.split(', ').includes(line.split(' ')[0] ?? ''),
  );
  return (
    others.length > 0 &&
    others.every((line) => /^\w+ SimpleAggregateFunction\((min|max|groupUniqArrayArray), /.test(line))
  );
}

const createdBy = (migrations: readonly { readonly sql: string }[]) =>
  migrations.flatMap(({ sql }) => statementsOf(sql, single)).filter((s) => /^CREATE TABLE/m.test(s));

test('every table remembers its inserts, or takes a repeated one as one: else a rollup would count it again', () => {
  const tables = createdBy(readMigrations());
  const remembers = (statement: string) => statement.includes('non_replicated_deduplication_window');
  expect(tables.filter((statement) => remembers(statement) === takesTwiceAsOnce(statement))).toEqual([]);
  expect(tables.filter(remembers)).toHaveLength(7);
});

test('only a table that takes a row twice as once is filled from what there is', () => {
  const all = readMigrations();
  const names = createdBy(all)
    .filter(takesTwiceAsOnce)
    .map((s) => /^CREATE TABLE IF NOT EXISTS (\S+)/m.exec(s)?.[1]);
  const filled = all
    .flatMap(({ sql }) => statementsOf(sql, single))
    .filter(isFilling)
    .map((s) => /^INSERT INTO (\S+)/.exec(s)?.[1]);
  expect(filled.filter((name) => !names.includes(name))).toEqual([]);
  expect(filled).toEqual(['`email`.message_states', '`email`.message_facts']);
});

test('a table that was made before remembers as many inserts as a new one: those of an hour, of events and of replays', () => {
  const migrations = readMigrations();
  const before = createdBy(migrations.filter(({ version }) => version < 12));
  const tables = before.map((s) => /^CREATE TABLE IF NOT EXISTS (\S+)/m.exec(s)?.[1]);
  const changed = migrations
    .flatMap(({ sql }) => statementsOf(sql, single))
    .flatMap((s) => {
      const [, table = '', window] =
        /^ALTER TABLE (\S+)\s+MODIFY SETTING non_replicated_deduplication_window = (\d+)$/m.exec(s) ?? [];
      return window ? [{ table, window: Number(window) }] : [];
    });
  expect(changed.map(({ table }) => table)).toEqual(tables);
  const lanes = 2;
  const most = lanes * MOST_INSERTS * (3_600 + (2 * INSERTS_AHEAD_MS) / 1_000);
  for (const { window } of changed) expect(window).toBeGreaterThanOrEqual(most);
  expect(DEDUPLICATED_INSERTS).toBeGreaterThanOrEqual(most);
});

test('every field of an event is a column under the same name', () => {
  const columns = TABLES.find(({ table }) => table === 'email_events')?.columns ?? [];
  const known = new Set<string>(columns);
  for (const key of EVENT_TYPES) {
    const schema = schemas[key] as unknown as { fields: readonly { name: string }[] };
    for (const { name } of schema.fields) expect(known, `${key}.${name}`).toContain(name);
  }
});

test('what is written is what the files create', () => {
  const sql = allSql().join('\n');
  for (const { table, columns } of TABLES) {
    const [, body = ''] =
      new RegExp(`CREATE TABLE IF NOT EXISTS \\{\\{database\\}\\}\\.${table} .*?\\n\\((.*?)\\n\\)`, 's').exec(
        sql,
      ) ?? [];
    const added = [...sql.matchAll(new RegExp(`ALTER TABLE \\{\\{database\\}\\}\\.${table} (.*?);\\n`, 'gs'))]
      .flatMap(([, text = '']) => [...text.matchAll(/ADD COLUMN IF NOT EXISTS (\w+ )/g)])
      .map(([, column]) => `  ${column}`);
    for (const column of columns) {
      const known = [body, ...added].join('\n');
      expect(known, `${table}.${column}`).toMatch(new RegExp(`^  ${column} `, 'm'));
    }
  }
});
