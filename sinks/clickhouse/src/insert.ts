import { CodedError } from '@email-events/schemas/errors';
import type { ClickHouse } from './connection.ts';
import type { EncodedRows } from './encode.ts';

/** The answer to an insert did not come in time; whether it has landed, or will, is not known. */
export class InsertTimeout extends CodedError<'SINK_CLICKHOUSE_UNAVAILABLE'> {
  override readonly name = 'InsertTimeout';

  constructor(message: string, options?: ErrorOptions) {
    super('SINK_CLICKHOUSE_UNAVAILABLE', message, options);
  }
}

const FIRST_MS = 60_000;
/** No request may take longer: the connection's own limit. */
export const LONGEST_MS = 900_000;
const PING_MS = 5_000;

/**
 * Inserts of one sink, each under its token, and how long they are waited for. An insert that is late at a server that answers otherwise
 * gets twice the time when it is repeated: it is the same rows each time, and would be late for ever.
 */
export class Inserts {
  private readonly clickhouse: ClickHouse;
  private readonly firstMs: number;
  /** Milliseconds by token, of inserts that were late. */
  private readonly patience = new Map<string, number>();

  constructor(clickhouse: ClickHouse, firstMs = FIRST_MS) {
    this.clickhouse = clickhouse;
    this.firstMs = firstMs;
  }

  /** Throws InsertTimeout, or what ClickHouse or the connection says. */
  async insert(
    rows: Pick<EncodedRows, 'table' | 'columns' | 'format'>,
    chunks: Iterable<Buffer>,
    token: string,
    signal: AbortSignal,
  ): Promise<void> {
    const ms = this.patience.get(token) ?? this.firstMs;
    const deadline = AbortSignal.timeout(ms);
    try {
      await this.clickhouse.insert(
        sqlOf(rows),
        chunks,
        settingsOf(token),
        AbortSignal.any([signal, deadline]),
      );
      this.patience.delete(token);
    } catch (error) {
      if (!deadline.aborted || signal.aborted) throw error;
      if (await this.answers()) this.waitLonger(token, ms * 2);
      throw new InsertTimeout(`no answer after ${ms} ms`, { cause: error });
    }
  }

  private async answers(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(resolve, PING_MS, false);
    try {
      return await Promise.race([this.clickhouse.ping().catch(() => false), promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  private waitLonger(token: string, ms: number): void {
    this.patience.set(token, Math.min(LONGEST_MS, ms));
    // Batches that went to another member never end here; one that is forgotten starts over.
    for (const oldest of this.patience.keys()) {
      if (this.patience.size <= REMEMBERED) break;
      this.patience.delete(oldest);
    }
  }
}

const REMEMBERED = 1_000;

/** Of what is inserted. Binary rows have a header. */
export const FORMATS = { json: 'JSONCompactEachRow', binary: 'RowBinaryWithNamesAndTypes' } as const;

const sqlOf = ({ table, columns, format }: Pick<EncodedRows, 'table' | 'columns' | 'format'>) =>
  `INSERT INTO ${table} (${columns.join(', ')}) FORMAT ${FORMATS[format]}`;

const settingsOf = (token: string) =>
  ({
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
    // A batch that is not cut may be of any number of months.
    max_partitions_per_insert_block: '0',
  }) as const;
