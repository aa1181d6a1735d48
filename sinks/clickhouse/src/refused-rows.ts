import { ClickHouseError } from '@clickhouse/client';
import type { ClickHouse } from './connection.ts';
import type { EncodedRows } from './encode.ts';
import { failureKindOf } from './errors.ts';

/** What of a failed insert may be a row's doing. */
export type Blame = (error: unknown) => boolean;

/** The server cannot read a row. */
export const unreadable: Blame = (error) => failureKindOf(error) === 'rows';

/** Any answer of the server's that is about what it was given, and not about the table or the user. */
export const unacceptable: Blame = (error) =>
  error instanceof ClickHouseError && !['schema', 'refused'].includes(failureKindOf(error));

/**
 * Positions of the lines that the server does not take by themselves, found by halves in inserts into a table that keeps nothing: what
 * is written is not touched. Throws what is not to be blamed on a row.
 */
export async function refusedRows(
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
