import {
  codeOf,
  DELIVERED,
  type Logger,
  type Sink,
  type SinkBatch,
  type SinkRecord,
  type SinkVerdict,
} from '@email-events/core';
import type { ClickHouse } from './connection.ts';
import { detailOf, failureKindOf } from './errors.ts';
import { type ClickHouseValue, TABLES, type TableWriter, writerOf } from './rows.ts';

/** Rows of a table and the records they came from. */
interface Insert {
  readonly table: string;
  readonly columns: readonly string[];
  readonly lines: string[];
  /** Index in the batch, by line. */
  readonly indexes: number[];
}

const EMPTY: SinkVerdict = {
  outcome: 'dead-letter',
  code: 'SINK_RECORD_UNREADABLE',
  message: 'the record has no value',
};
const BYTES_A_CHUNK = 65_536;

/** Rows into tables. The same batch inserted again leaves nothing behind: neither in the tables nor in the rollups. */
export function createClickHouseSink(clickhouse: ClickHouse, log: Logger): Sink<ClickHouseValue> {
  return {
    name: 'clickhouse',
    check: (signal) => checkTables(clickhouse, signal),
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
  const inserts = insertsOf(batch.records, (index) => {
    verdicts[index] = EMPTY;
  });
  for (const insert of inserts) {
    try {
      for (const index of await insertRows(clickhouse, insert, batch.id, signal, log)) {
        verdicts[index] = {
          outcome: 'dead-letter',
          code: 'SINK_CLICKHOUSE_ROW_REFUSED',
          message: `${insert.table} does not take the row`,
        };
      }
    } catch (error) {
      const code =
        failureKindOf(error) === 'schema' ? 'SINK_CLICKHOUSE_SCHEMA' : 'SINK_CLICKHOUSE_UNAVAILABLE';
      log.warn({ code, detail: detailOf(error), table: insert.table }, 'an insert failed');
      // Tables that were written already take it as a duplicate the next time.
      return batch.records.map(() => ({ outcome: 'retry', code }));
    }
  }
  return verdicts;
}

function insertsOf(
  records: readonly SinkRecord<ClickHouseValue>[],
  onEmpty: (index: number) => void,
): Insert[] {
  const writers = new Map<string, TableWriter>();
  const inserts = new Map<string, Insert>();
  for (const [index, record] of records.entries()) {
    let writer = writers.get(record.topic);
    if (!writer) {
      writer = writerOf(record.topic);
      writers.set(record.topic, writer);
    }
    const row = writer.encode(record);
    if (row === undefined) {
      onEmpty(index);
      continue;
    }
    let insert = inserts.get(writer.table);
    if (!insert) {
      insert = { table: writer.table, columns: writer.columns, lines: [], indexes: [] };
      inserts.set(writer.table, insert);
    }
    insert.lines.push(row);
    insert.indexes.push(index);
  }
  return [...inserts.values()];
}

/** Inserts the rows; returns the batch indexes of those that the server cannot read. */
async function insertRows(
  clickhouse: ClickHouse,
  insert: Insert,
  batchId: string,
  signal: AbortSignal,
  log: Logger,
): Promise<number[]> {
  const { lines, indexes, table } = insert;
  const token = `${batchId}/${table}`;
  try {
    await insertLines(clickhouse, insert, lines, token, signal);
    return [];
  } catch (error) {
    if (failureKindOf(error) !== 'rows') throw error;
    log.error({ code: codeOf(error), detail: detailOf(error), table }, 'rows are refused; looking for them');
  }
  // Searched without writing anything, so that the good rows still go in as one insert under the batch's own token.
  const bad = new Set(await unreadable(clickhouse, insert, 0, lines.length, signal));
  const good = lines.filter((_, at) => !bad.has(at));
  if (good.length > 0) await insertLines(clickhouse, insert, good, token, signal);
  return [...bad].flatMap((at) => indexes[at] ?? []);
}

async function insertLines(
  clickhouse: ClickHouse,
  { table, columns }: Insert,
  lines: readonly string[],
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
  await clickhouse.insert(sql, chunksOf(lines), settings, signal);
}

/** Positions among lines[from, to) that the server cannot read, by halves, read into a table that keeps nothing. */
async function unreadable(
  clickhouse: ClickHouse,
  insert: Insert,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<number[]> {
  const { table, columns, lines } = insert;
  const source = `(SELECT ${columns.join(', ')} FROM ${table} LIMIT 0)`;
  const structure = await clickhouse.query<{ name: string; type: string }>(`DESCRIBE TABLE ${source}`);
  const declared = structure.map(({ name, type }) => `${name} ${type}`).join(', ');
  const sql = `INSERT INTO FUNCTION null('${declared.replaceAll("'", "\\'")}') FORMAT JSONCompactEachRow`;
  const search = async (start: number, end: number): Promise<number[]> => {
    try {
      await clickhouse.insert(sql, chunksOf(lines.slice(start, end)), {}, signal);
      return [];
    } catch (error) {
      if (failureKindOf(error) !== 'rows') throw error;
      if (end - start === 1) return [start];
      const middle = (start + end) >> 1;
      return [...(await search(start, middle)), ...(await search(middle, end))];
    }
  };
  return search(from, to);
}

/** Lazily, so that encoding to bytes alternates with sending. */
function* chunksOf(lines: readonly string[]): Generator<Buffer> {
  let chunk = '';
  for (const row of lines) {
    chunk += row;
    if (chunk.length < BYTES_A_CHUNK) continue;
    yield Buffer.from(chunk);
    chunk = '';
  }
  if (chunk !== '') yield Buffer.from(chunk);
}
