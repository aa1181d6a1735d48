import { expect, test } from 'vitest';
import type { ClickHouse } from './connection.ts';
import { refuseShards } from './shards.ts';

/** A server that knows the cluster `main`, with so many shards. */
const serverWith = (shards: number) => {
  const asked: unknown[] = [];
  const query = async (sql: string, parameters?: unknown) => {
    asked.push(parameters);
    expect(sql).toContain('FROM system.clusters WHERE cluster = {cluster:String}');
    return [{ shards: String(shards) }];
  };
  return { asked, clickhouse: { query } as Pick<ClickHouse, 'query'> };
};

test('a cluster of several shards is refused, since a batch repeated at another shard would be there twice', async () => {
  const { asked, clickhouse } = serverWith(2);
  await expect(refuseShards(clickhouse, { cluster: 'main' })).rejects.toMatchObject({
    code: 'SINK_CLICKHOUSE_SHARDED',
    message: expect.stringContaining('the cluster main has 2 shards'),
  });
  expect(asked).toEqual([{ cluster: 'main' }]);
});

test('the replicas of one shard are taken, and what the server does not know is its own to refuse', async () => {
  await refuseShards(serverWith(1).clickhouse, { cluster: 'main' });
  await refuseShards(serverWith(0).clickhouse, { cluster: 'main' });
});

test('without a cluster nothing is asked', async () => {
  const { asked, clickhouse } = serverWith(2);
  await refuseShards(clickhouse, {});
  expect(asked).toEqual([]);
});
