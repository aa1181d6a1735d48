import { expect, test } from 'vitest';
import type { ClickHouse, ClickHouseAddress } from './connection.ts';
import { eventsKept, keepStatements } from './keep.ts';

const address: ClickHouseAddress = { url: 'http://127.0.0.1:8123', database: 'email', username: 'default' };
const SETTINGS = 'SETTINGS index_granularity = 8192';

/** A server whose table of events has this TTL; it has no other one yet. */
function serverWith(ttl: string, engine = 'MergeTree'): ClickHouse {
  const rows = [{ name: 'email_events', engine_full: `${engine} ORDER BY type ${ttl} ${SETTINGS}` }];
  return { query: async () => rows } as unknown as ClickHouse;
}

test.each([
  ['a table without a limit gets one', '', 30, 'MODIFY TTL occurred_at + toIntervalHour(720)'],
  [
    'another one',
    'TTL occurred_at + toIntervalHour(168)',
    30,
    'MODIFY TTL occurred_at + toIntervalHour(720)',
  ],
  ['no limit any more', 'TTL occurred_at + toIntervalHour(168)', undefined, 'REMOVE TTL'],
  ['one in days was written by hand, and stays', 'TTL occurred_at + toIntervalDay(90)', undefined, undefined],
  ['nothing to do', 'TTL occurred_at + toIntervalHour(720)', 30, undefined],
  ['never set', '', undefined, undefined],
  ['somebody else’s is left alone', 'TTL received_at + toIntervalMonth(6)', undefined, undefined],
  [
    'unless it is set here',
    'TTL received_at + toIntervalMonth(6)',
    30,
    'MODIFY TTL occurred_at + toIntervalHour(720)',
  ],
])('%s', async (_, ttl, keepEventsDays, change) => {
  const keep = { ...address, ...(keepEventsDays ? { keepEventsDays } : {}) };
  const statements = change ? [`ALTER TABLE \`email\`.email_events ${change}`] : [];
  expect(await keepStatements(serverWith(ttl), keep)).toEqual(statements);
});

test('on a cluster every replica is told', async () => {
  const on = { ...address, cluster: 'main', keepEventsDays: 400, keepMessagesDays: 400 };
  const engine = "ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')";
  expect(await keepStatements(serverWith('', engine), on)).toEqual([
    'ALTER TABLE `email`.email_events ON CLUSTER `main` MODIFY TTL occurred_at + toIntervalHour(9600)',
  ]);
});

const DAY = 86_400_000;
test.each([
  ['', []],
  ['TTL occurred_at + toIntervalDay(30)', [{ column: 'occurred_at', ms: 30 * DAY }]],
  ['TTL occurred_at + toIntervalHour(720)', [{ column: 'occurred_at', ms: 30 * DAY }]],
  ['TTL toDate(received_at) + toIntervalMonth(2) DELETE', [{ column: 'received_at', ms: 55 * DAY }]],
  [
    `TTL occurred_at + toIntervalDay(7) TO VOLUME 'cold', occurred_at + toIntervalYear(1)`,
    [{ column: 'occurred_at', ms: 365 * DAY }],
  ],
  ["TTL occurred_at + toIntervalDay(7) WHERE type = 'opened'", undefined],
  ["TTL occurred_at + toIntervalDay(7) TO DISK 'a', if(source = 'b', occurred_at, received_at)", undefined],
])('how long rows are kept is read from the table: %j', async (ttl, kept) => {
  expect((await eventsKept(serverWith(ttl), 'email')).kept).toEqual(kept);
});

test('of a table that cannot be seen nothing is known', async () => {
  const none = { query: async () => [] } as unknown as ClickHouse;
  expect((await eventsKept(none, 'email')).kept).toBeUndefined();
});
