import { expect, test } from 'vitest';
import type { ClickHouse } from './connection.ts';
import { fill } from './fill.ts';

const address = { url: 'http://127.0.0.1:8123', database: 'email', username: 'default' };
const STATEMENT = 'INSERT INTO `email`.sums SELECT 1 FROM `email`.events AS e WHERE {{each day of events}}';

/** What a server is sent that has two days of events, one of them filled, and an insert that runs when it is asked first. */
async function sentBy(cluster?: string): Promise<string[]> {
  const sent: string[] = [];
  let asked = 0;
  const clickhouse = {
    async query<Row>(sql: string): Promise<Row[]> {
      const rows = sql.includes('system.processes')
        ? [{ id: 'one' }].slice(0, asked++ === 0 ? 1 : 0)
        : sql.includes('schema_fills')
          ? [{ day: 20_261_129 }]
          : [{ day: 20_261_130 }, { day: 20_261_129 }];
      sent.push(sql);
      return rows as Row[];
    },
    async command(sql: string) {
      sent.push(sql);
    },
  } as Partial<ClickHouse> as ClickHouse;
  const at = { ...address, ...(cluster ? { cluster } : {}) };
  await fill(STATEMENT, { clickhouse, address: at, version: 7, name: 'sums' });
  return sent.map((sql) => sql.replaceAll(/\s+/g, ' '));
}

test('what is not filled yet is, a day at a time, once no insert is left that does not know the view', async () => {
  const [first, second, days, known, ...filled] = await sentBy();
  expect([first, second].every((sql) => sql?.includes(' FROM system.processes '))).toBe(true);
  expect(days).toContain('AS day FROM `email`.`events` GROUP BY day');
  expect(known).toContain('FROM `email`.schema_fills WHERE version = 7');
  expect(filled).toEqual([
    'INSERT INTO `email`.sums SELECT 1 FROM `email`.events AS e WHERE toYYYYMMDD(occurred_at) = 20261130',
    'INSERT INTO `email`.schema_fills (version, day) VALUES (7, 20261130)',
  ]);
});

test('on a cluster the replica that is read has what others were given, before its days are listed', async () => {
  const [first, second, synced, days] = await sentBy('main');
  expect([first, second].every((sql) => sql?.includes('clusterAllReplicas(`main`, system.processes)'))).toBe(
    true,
  );
  expect(synced).toBe('SYSTEM SYNC REPLICA `email`.`events` LIGHTWEIGHT');
  expect(days).toContain('AS day FROM `email`.`events` GROUP BY day');
});
