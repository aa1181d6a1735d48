import type { Codes } from '@email-events/core/errors';

/** Codes of the ClickHouse sink, besides those of every sink. */
export const CLICKHOUSE_CODES = {
  SINK_CLICKHOUSE_UNAVAILABLE:
    'ClickHouse does not answer or cannot take rows now; the same rows are sent again.',
  SINK_CLICKHOUSE_REFUSED:
    'ClickHouse refuses the user: wrong password, or no right to insert. The rows wait until that is put right.',
  SINK_CLICKHOUSE_OVERLOADED:
    'ClickHouse takes no more now: memory, parts, quota or disk; its log says which. The same rows are sent again.',
  SINK_CLICKHOUSE_SCHEMA:
    'A table or column is missing in ClickHouse: run `clickhouse migrate`, or, if that has nothing to do, put back what was changed by hand. The rows wait.',
  SINK_CLICKHOUSE_ROW_REFUSED: 'ClickHouse cannot read this row; the others of its batch were written.',
  SINK_CLICKHOUSE_MIGRATION_EDITED:
    'A migration that was applied is not the file of this version, or is of a newer one and does not only add.',
  SINK_CLICKHOUSE_SHARDED:
    'The cluster has several shards: a batch that is repeated at another shard would be there twice. Name a cluster of the replicas of one shard in `sinks.clickhouse.cluster`.',
} as const;

declare module '@email-events/core/errors' {
  interface DeclaredCodes extends Codes<typeof CLICKHOUSE_CODES> {}
}
