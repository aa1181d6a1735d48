import { expect, test } from 'vitest';
import type { ClickHouse } from './connection.ts';
import { eraseRecipients } from './erase.ts';

const ANN = "o'ann@example.com";

/** A server that has one row of each in two tables; what it is told, all of which it may keep. */
function server() {
  const told: string[] = [];
  const clickhouse: ClickHouse = {
    query: async <Row>(sql: string) => {
      told.push(sql);
      const tables = [
        { table: 'email_events', column: 'recipient_key', bytes: [] },
        { table: 'dead_letters', column: '', bytes: ['key_base64'] },
      ];
      return (sql.includes('system.columns') ? tables : [{ rows: '1' }]) as Row[];
    },
    command: async (sql) => void told.push(sql),
    insert: async () => {},
    ping: async () => true,
    close: async () => {},
  };
  return { clickhouse, told };
}

test('what the server keeps of a deletion does not say the address, but where bytes are searched for it', async () => {
  const { clickhouse, told } = server();
  const rows = await eraseRecipients(clickhouse, { database: 'd' }, [ANN]);
  expect(Object.fromEntries(rows)).toEqual({ email_events: 1, dead_letters: 1 });
  const [ofEvents, ofLetters] = told.filter((sql) => sql.startsWith('ALTER'));
  expect(told.filter((sql) => sql.startsWith('ALTER'))).toHaveLength(2);
  expect(told.join()).not.toContain('ann@');
  const hex = Buffer.from(ANN).toString('hex');
  expect(told.filter((sql) => sql.includes('`email_events`')).join()).not.toContain(hex);
  expect(ofEvents).toMatch(/^ALTER TABLE `d`\.`email_events` DELETE WHERE .* SETTINGS mutations_sync = 2$/);
  expect(ofLetters).toContain(hex);
});

test('on a cluster every replica is told, whatever the one that was asked has', async () => {
  const { clickhouse, told } = server();
  const none: ClickHouse = {
    ...clickhouse,
    query: async <Row>(sql: string) =>
      sql.includes('system.columns') ? clickhouse.query<Row>(sql) : ([{ rows: '0' }] as Row[]),
  };
  await eraseRecipients(none, { database: 'd', cluster: 'main' }, [ANN]);
  const mutations = told.filter((sql) => sql.startsWith('ALTER'));
  expect(mutations).toHaveLength(2);
  for (const sql of mutations) expect(sql).toContain('ON CLUSTER `main` DELETE');
});
