import { expect, test } from 'vitest';
import { isAdditive } from './additive.ts';
import { readMigrations } from './migrations.ts';
import { statementsOf } from './statements.ts';

const address = { url: 'http://127.0.0.1:8123', database: 'email', username: 'default' };

test('every migration so far only adds, on a server and on a cluster: a release that does not know it works on', () => {
  for (const { name, sql } of readMigrations()) {
    expect.soft(isAdditive(statementsOf(sql, address)), name).toBe(true);
    expect.soft(isAdditive(statementsOf(sql, { ...address, cluster: 'main' })), name).toBe(true);
  }
});

test('a materialised view that was altered is renamed and gets its name back: else the server knows it by another id until it is started again', () => {
  const all = readMigrations().flatMap(({ sql }) => statementsOf(sql, address));
  const altered = all.flatMap((statement, n) => {
    const [, view = ''] = /^(?:--.*\n)*ALTER TABLE (\S+_mv)\b/.exec(statement) ?? [];
    return view ? [{ view, later: all.slice(n + 1) }] : [];
  });
  expect(altered.map(({ view }) => view)).toContain('`email`.email_events_hourly_mv');
  for (const { view, later } of altered) {
    const renamed = later.flatMap(
      (statement) => / IF EXISTS (\S+) TO (\S+)$/.exec(statement)?.slice(1, 3) ?? [],
    );
    expect(renamed.slice(0, 4), view).toEqual([view, renamed[1], renamed[1], view]);
  }
});

test.each([
  'DROP TABLE email.a',
  'DROP VIEW IF EXISTS email.a',
  'DROP TABLE IF EXISTS email.a_mv',
  'ALTER TABLE email.a MODIFY QUERY SELECT 1',
  'RENAME TABLE email.a TO email.b',
  'RENAME TABLE IF EXISTS email.a TO email.b_mv',
  'RENAME TABLE IF EXISTS email.a_mv TO email.b',
  'TRUNCATE TABLE email.a',
  'CREATE OR REPLACE TABLE email.a (b UInt8) ENGINE = Memory',
  'ALTER TABLE email.a DROP COLUMN b',
  'ALTER TABLE email.a ON CLUSTER main RENAME COLUMN b TO c',
  'ALTER TABLE email.a MODIFY COLUMN b UInt8',
  'ALTER TABLE email.a ADD COLUMN IF NOT EXISTS b UInt8 DEFAULT if(1, 2, 3), DROP COLUMN c',
  'ALTER TABLE email.a MODIFY SETTING x = 1, y = 2, MODIFY ORDER BY b',
  'ALTER TABLE email.a DELETE WHERE b = 1',
  '-- ADD COLUMN IF NOT EXISTS\nEXCHANGE TABLES email.a AND email.b',
])('takes something away: %s', (statement) => {
  expect(isAdditive(['CREATE TABLE IF NOT EXISTS email.x (a UInt8) ENGINE = Memory', statement])).toBe(false);
});

test('what is written in comments and strings is no change', () => {
  const text = `ALTER TABLE email.a ADD COLUMN IF NOT EXISTS b String COMMENT 'it''s, DROP COLUMN c' AFTER a, -- RENAME
    ADD COLUMN IF NOT EXISTS c Map(String, String)`;
  expect(isAdditive([text])).toBe(true);
});
