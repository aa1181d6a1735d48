import { PipelineError } from '@email-events/core';
import type { ClickHouse, ClickHouseAddress } from './connection.ts';

/**
 * Throws SINK_CLICKHOUSE_SHARDED where the configured cluster has several shards. Which inserts a table has had is known to the replicas of one shard: a batch that is
 * repeated at another one is there twice, and the rows of one message or recipient, which are put together where they lie, would lie in several places.
 * A cluster that the server does not know is left to the server's own error.
 */
export async function refuseShards(
  clickhouse: Pick<ClickHouse, 'query'>,
  { cluster }: Pick<ClickHouseAddress, 'cluster'>,
): Promise<void> {
  if (cluster === undefined) return;
  const [row] = await clickhouse.query<{ shards: string }>(
    'SELECT uniqExact(shard_num) AS shards FROM system.clusters WHERE cluster = {cluster:String}',
    { cluster },
  );
  if (!row) throw new Error('the server does not say how many shards a cluster has');
  if (Number(row.shards) <= 1) return;
  throw new PipelineError(
    'SINK_CLICKHOUSE_SHARDED',
    'fatal',
    `the cluster ${cluster} has ${row.shards} shards; name one that has the replicas of a single shard`,
  );
}
