import { ClickHouseError } from '@clickhouse/client';
import {
  DELIVERED,
  type Logger,
  type SinkPiece,
  type SinkRecord,
  type SinkVerdict,
} from '@email-events/core';
import type { ClickHouse } from './connection.ts';
import { cutOf, type EncodedRows, encodeBatch, linesOf } from './encode.ts';
import { detailOf, failureKindOf, isTooMuch, sinkCodeOf } from './errors.ts';
import type { Inserts } from './insert.ts';
import type { ClickHouseValue } from './rows.ts';

export interface PieceParts {
  readonly clickhouse: ClickHouse;
  readonly inserts: Inserts;
  readonly log: Logger;
}

/** Tries after which, and after as many again, rows are looked for that are the reason: the first ones may be the server's. */
const SEARCH_EVERY = 6;

/** Records without a value: nothing is sent of them. */
const EMPTY_PIECE = 'empty';
const EMPTY: SinkVerdict = {
  outcome: 'dead-letter',
  code: 'SINK_RECORD_UNREADABLE',
  message: 'the record has no value',
};

/** One insert each. Throws what a value throws that cannot be read, while nothing is sent. */
export async function piecesOf(
  parts: PieceParts,
  records: readonly SinkRecord<ClickHouseValue>[],
  cutName: string | undefined,
): Promise<SinkPiece[]> {
  const cut = cutOf(cutName);
  const { inserts, empty } = await encodeBatch(records, cut);
  const tried = records[0]?.attempts ?? 0;
  const pieces = inserts.map(
    (rows): SinkPiece => ({
      key: rows.key,
      indexes: rows.indexes,
      write: (id, signal) => new PieceWriter(parts, rows, tried).write(id, signal),
    }),
  );
  if (empty.length === 0) return pieces;
  return [...pieces, { key: EMPTY_PIECE, indexes: empty, write: async () => empty.map(() => EMPTY) }];
}

class PieceWriter {
  private readonly parts: PieceParts;
  private readonly rows: EncodedRows;
  private readonly tried: number;

  constructor(parts: PieceParts, rows: EncodedRows, tried: number) {
    this.parts = parts;
    this.rows = rows;
    this.tried = tried;
  }

  async write(token: string, signal: AbortSignal): Promise<SinkVerdict[]> {
    const { rows, parts } = this;
    const { table } = rows;
    try {
      const refused = new Set(await this.insert(token, signal));
      return rows.indexes.map((_, row) => (refused.has(row) ? refusalOf(table) : DELIVERED));
    } catch (error) {
      const code = sinkCodeOf(error);
      parts.log.warn({ code, detail: detailOf(error), table }, 'an insert failed');
      // Rows that have landed are dropped as duplicates the next time.
      const retry: SinkVerdict = { outcome: 'retry', code, ...(isTooMuch(error) ? { smaller: true } : {}) };
      return rows.indexes.map(() => retry);
    }
  }

  /** Returns the positions of rows that the server does not take; the others are in. */
  private async insert(token: string, signal: AbortSignal): Promise<number[]> {
    const { rows, parts } = this;
    try {
      await parts.inserts.insert(rows, rows.chunks, token, signal);
      return [];
    } catch (error) {
      const blame = this.blameOf(error);
      if (!blame) throw error;
      parts.log.error(
        { detail: detailOf(error), table: rows.table },
        'rows may be refused; looking for them',
      );
      return this.insertWithout(blame, error, token, signal);
    }
  }

  /** Which errors a row may be to blame for, if it is time to look for such rows. */
  private blameOf(error: unknown): Blame | undefined {
    if (unreadable(error)) return unreadable;
    const due = this.tried > 0 && this.tried % SEARCH_EVERY === 0;
    return due && unacceptable(error) ? unacceptable : undefined;
  }

  /**
   * Inserts the good rows under the token that all rows had. If an earlier try has landed after all, or still does, the server drops
   * the second insert as a whole: so no row is there twice, even though the second one has fewer rows.
   */
  private async insertWithout(
    blame: Blame,
    failure: unknown,
    token: string,
    signal: AbortSignal,
  ): Promise<number[]> {
    const { rows, parts } = this;
    const lines = linesOf(rows);
    const refused = await refusedRows(parts.clickhouse, rows, lines, blame, signal);
    // By themselves all are taken, or, of what is not the rows' format, none: then it is not they.
    const unclear = refused.length === 0 || (blame === unacceptable && refused.length === lines.length);
    if (unclear) throw failure;
    const out = new Set(refused);
    const good = lines.filter((_, row) => !out.has(row));
    if (good.length > 0) await parts.inserts.insert(rows, good, token, signal);
    return refused;
  }
}

const refusalOf = (table: string): SinkVerdict => ({
  outcome: 'dead-letter',
  code: 'SINK_CLICKHOUSE_ROW_REFUSED',
  message: `${table} does not take the row`,
});

/** Whether a row may be to blame for the error of an insert. */
type Blame = (error: unknown) => boolean;

/** The server cannot read a row. */
const unreadable: Blame = (error) => failureKindOf(error) === 'rows';

/** Any answer of the server's that is about what it was given, and not about the table or the user. */
const unacceptable: Blame = (error) =>
  error instanceof ClickHouseError && !['schema', 'refused'].includes(failureKindOf(error));

/**
 * Positions of the lines that the server does not take by themselves, found by halves in inserts into a table that keeps nothing: what
 * is written is not touched. Throws what is not to be blamed on a row.
 */
async function refusedRows(
  clickhouse: ClickHouse,
  { table, columns }: EncodedRows,
  lines: readonly Buffer[],
  blame: Blame,
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
      if (!blame(error)) throw error;
      if (end - start === 1) return [start];
      const middle = (start + end) >> 1;
      return [...(await search(start, middle)), ...(await search(middle, end))];
    }
  };
  return search(0, lines.length);
}
