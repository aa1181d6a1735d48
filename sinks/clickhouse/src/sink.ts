import {
  codeOf,
  DELIVERED,
  type Logger,
  type Sink,
  type SinkBatch,
  type SinkVerdict,
} from '@email-events/core';
import type { ClickHouse } from './connection.ts';
import { type EncodedTable, encodeBatch, linesOf } from './encode.ts';
import { detailOf, failureKindOf, sinkCodeOf, sinkErrorOf } from './errors.ts';
import { type ClickHouseValue, TABLES } from './rows.ts';

const EMPTY: SinkVerdict = {
  outcome: 'dead-letter',
  code: 'SINK_RECORD_UNREADABLE',
  message: 'the record has no value',
};

/** Rows into tables. The same batch inserted again leaves nothing behind: neither in the tables nor in the rollups. */
export function createClickHouseSink(clickhouse: ClickHouse, log: Logger): Sink<ClickHouseValue> {
  return {
    name: 'clickhouse',
    check: async (signal) => {
      try {
        await checkTables(clickhouse, signal);
      } catch (error) {
        throw sinkErrorOf(error);
      }
    },
    write: (batch, signal) => writeBatch(clickhouse, batch, signal, log),
    close: () => clickhouse.close(),
  };
}

/** An insert of no rows goes all the way to the table: it fails if the table, a column or the right to insert is missing. */
async function checkTables(clickhouse: ClickHouse, signal: AbortSignal): Promise<void> {
  for (const { table, columns } of TABLES) {
    const names = columns.join(', ');
    await clickhouse.command(`INSERT INTO ${table} (${names}) SELECT ${names} FROM ${table} LIMIT 0`, signal);
  }
}

async function writeBatch(
  clickhouse: ClickHouse,
  batch: SinkBatch<ClickHouseValue>,
  signal: AbortSignal,
  log: Logger,
): Promise<SinkVerdict[]> {
  const verdicts: SinkVerdict[] = Array(batch.records.length).fill(DELIVERED);
  const { tables, empty } = await encodeBatch(batch.records);
  for (const index of empty) verdicts[index] = EMPTY;
  for (const insert of tables) {
    try {
      for (const index of await insertRows(clickhouse, insert, batch.id, signal, log)) {
        verdicts[index] = {
          outcome: 'dead-letter',
          code: 'SINK_CLICKHOUSE_ROW_REFUSED',
          message: `${insert.table} does not take the row`,
        };
      }
    } catch (error) {
      const code = sinkCodeOf(error);
      log.warn({ code, detail: detailOf(error), table: insert.table }, 'an insert failed');
      // Tables that were written already take it as a duplicate the next time.
      return batch.records.map(() => ({ outcome: 'retry', code }));
    }
  }
  return verdicts;
}

/** Inserts the rows; returns the batch indexes of those that the server cannot read. */
async function insertRows(
  clickhouse: ClickHouse,
  insert: EncodedTable,
  batchId: string,
  signal: AbortSignal,
  log: Logger,
): Promise<number[]> {
  const { chunks, table } = insert;
  const token = `${batchId}/${table}`;
  try {
    await insertChunks(clickhouse, insert, chunks, token, signal);
    return [];
  } catch (error) {
    if (failureKindOf(error) !== 'rows') throw error;
    log.error({ code: codeOf(error), detail: detailOf(error), table }, 'rows are refused; looking for them');
  }
  // Searched without writing anything, so that the good rows still go in as one insert under the batch's own token.
  const lines = linesOf(insert);
  const bad = new Set(await unreadableRows(clickhouse, insert, lines, signal));
  const good = lines.filter((_, row) => !bad.has(row));
  if (good.length > 0) await insertChunks(clickhouse, insert, good, token, signal);
  return [...bad].flatMap((row) => insert.indexes[row] ?? []);
}

async function insertChunks(
  clickhouse: ClickHouse,
  { table, columns }: EncodedTable,
  chunks: Iterable<Buffer>,
  token: string,
  signal: AbortSignal,
): Promise<void> {
  const sql = `INSERT INTO ${table} (${columns.join(', ')}) FORMAT JSONCompactEachRow`;
  const settings = {
    insert_deduplicate: 1,
    insert_deduplication_token: token,
    // Without it a retried insert is dropped by the table and counted again by the rollup.
    deduplicate_blocks_in_dependent_materialized_views: 1,
    async_insert: 0,
    // The token names a block: all rows must be one, however they are cut on the way.
    input_format_parallel_parsing: 0,
    max_insert_block_size: '1000000',
    min_insert_block_size_rows: '1000000',
    min_insert_block_size_bytes: '1000000000',
    // Wrong clocks of senders must not stop the pipeline.
    max_partitions_per_insert_block: '0',
  } as const;
  await clickhouse.insert(sql, chunks, settings, signal);
}

/** Positions of the lines that the server cannot read, found by halves, read into a table that keeps nothing. */
async function unreadableRows(
  clickhouse: ClickHouse,
  { table, columns }: EncodedTable,
  lines: readonly Buffer[],
  signal: AbortSignal,
): Promise<number[]> {
  const structure = await clickhouse.query<{ name: string; type: string }>(
    `DESCRIBE TABLE (SELECT ${columns.join(', ')} FROM ${table} LIMIT 0)`,
  );
  const declared = structure.map(({ name, type }) => `${name} ${type}`).join(', ');
  const sql = `INSERT INTO FUNCTION null('${declared.replaceAll("'", "\\'")}') FORMAT JSONCompactEachRow`;
  const search = async (start: number, end: number): Promise<number[]> => {
    try {
      await clickhouse.insert(sql, lines.slice(start, end), {}, signal);
      return [];
    } catch (error) {
      if (failureKindOf(error) !== 'rows') throw error;
      if (end - start === 1) return [start];
      const middle = (start + end) >> 1;
      return [...(await search(start, middle)), ...(await search(middle, end))];
    }
  };
  return search(0, lines.length);
}
