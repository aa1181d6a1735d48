import { ClickHouseError } from '@clickhouse/client';
import {
  DELIVERED,
  type Logger,
  type SinkPiece,
  type SinkRecord,
  type SinkVerdict,
} from '@email-events/core';
import type { ClickHouse } from './connection.ts';
import { asLines, type EncodedRows, encodeBatch, rowsOf, wayOf } from './encode.ts';
import { detailOf, failureKindOf, isTooMuch, sinkCodeOf } from './errors.ts';
import { FORMATS, type Inserts } from './insert.ts';
import type { Hiding } from './private/hide.ts';
import type { ClickHouseValue } from './rows.ts';
import { describe, type TableTypes } from './table-types.ts';

export interface PieceParts {
  readonly clickhouse: ClickHouse;
  readonly inserts: Inserts;
  readonly types: TableTypes;
  readonly log: Logger;
  /** One for each key with which a batch may have been begun. */
  readonly hidings: readonly Hiding[];
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
  given: readonly SinkRecord<ClickHouseValue>[],
  wayName: string | undefined,
): Promise<SinkPiece[]> {
  const { cut, hiding } = wayOf(wayName, parts.hidings);
  const records = hiding ? await hiding.hideAll(given) : given;
  const { inserts, empty } = await encodeBatch(records, cut);
  const pieces = inserts.map(
    (rows): SinkPiece => ({
      key: rows.key,
      indexes: rows.indexes,
      write: (id, signal) => new PieceWriter(parts, rows, records).write(id, signal),
    }),
  );
  if (empty.length === 0) return pieces;
  return [...pieces, { key: EMPTY_PIECE, indexes: empty, write: async () => empty.map(() => EMPTY) }];
}

class PieceWriter {
  private readonly parts: PieceParts;
  private readonly rows: EncodedRows;
  private readonly records: readonly SinkRecord<ClickHouseValue>[];
  private readonly tried: number;

  constructor(parts: PieceParts, rows: EncodedRows, records: readonly SinkRecord<ClickHouseValue>[]) {
    this.parts = parts;
    this.rows = rows;
    this.records = records;
    this.tried = records[0]?.attempts ?? 0;
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
  private async insert(token: string, signal: AbortSignal, alteredOnce = false): Promise<number[]> {
    const { parts } = this;
    const sent = await this.sendable();
    const { table, columns, format } = sent.rows;
    try {
      await parts.inserts.insert(sent.rows, [...sent.header, ...sent.rows.chunks], token, signal);
      return [];
    } catch (error) {
      const blame = this.blameOf(error);
      if (!blame) throw error;
      if (format === 'binary' && (await parts.types.changed(table, columns))) {
        // A table that was altered meanwhile refuses all of them, and is no reason to refuse any: it gets them as it takes them now.
        if (alteredOnce) throw error;
        return this.insert(token, signal, true);
      }
      parts.log.error({ detail: detailOf(error), table }, 'rows may be refused; looking for them');
      return this.insertWithout(sent, blame, error, token, signal);
    }
  }

  /** As the table takes them. The token tells what they are, not their bytes: lines may be repeated in binary, and the other way round. */
  private async sendable(): Promise<Sendable> {
    const { rows, records, parts } = this;
    if (rows.format === 'json') return { rows, header: [] };
    const header = rows.complete && (await parts.types.headerFor(rows.table, rows.columns));
    return header ? { rows, header: [header] } : { rows: await asLines(rows, records), header: [] };
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
    sent: Sendable,
    blame: Blame,
    failure: unknown,
    token: string,
    signal: AbortSignal,
  ): Promise<number[]> {
    const { parts } = this;
    const single = rowsOf(sent.rows);
    const refused = await refusedRows(parts.clickhouse, sent, single, blame, signal);
    // By themselves all are taken, or, of what is not the rows' format, none: then it is not they.
    const unclear = refused.length === 0 || (blame === unacceptable && refused.length === single.length);
    if (unclear) throw failure;
    const out = new Set(refused);
    const good = single.filter((_, row) => !out.has(row));
    if (good.length > 0) await parts.inserts.insert(sent.rows, [...sent.header, ...good], token, signal);
    return refused;
  }
}

interface Sendable {
  readonly rows: EncodedRows;
  /** What comes before the first row. */
  readonly header: readonly Buffer[];
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
 * Positions of the rows that the server does not take by themselves, found by halves in inserts into a table that keeps nothing: what
 * is written is not touched. Throws what is not to be blamed on a row.
 */
async function refusedRows(
  clickhouse: ClickHouse,
  { rows: { table, columns, format }, header }: Sendable,
  single: readonly Buffer[],
  blame: Blame,
  signal: AbortSignal,
): Promise<number[]> {
  const structure = await describe(clickhouse, table, columns);
  const declared = structure.map(({ name, type }) => `${name} ${type}`).join(', ');
  const sql = `INSERT INTO FUNCTION null('${declared.replaceAll("'", "\\'")}') FORMAT ${FORMATS[format]}`;
  const search = async (start: number, end: number): Promise<number[]> => {
    try {
      await clickhouse.insert(sql, [...header, ...single.slice(start, end)], {}, signal);
      return [];
    } catch (error) {
      if (!blame(error)) throw error;
      if (end - start === 1) return [start];
      const middle = (start + end) >> 1;
      return [...(await search(start, middle)), ...(await search(middle, end))];
    }
  };
  return search(0, single.length);
}
