import { type ClickHouse, type ClickHouseAddress, quoted } from './connection.ts';

/** A table that names recipients, and the column that holds their keys. */
interface Naming {
  readonly table: string;
  readonly column: string;
}

/** A mutation rewrites the parts that it finds rows in, and is waited for. */
const MUTATION_MS = 900_000;
/** Recipients of one mutation. */
const AT_ONCE = 200;

/**
 * Removes the rows of recipients from every table that names them, on every replica, and resolves once that is done. Views and rollups that do not name them keep their
 * counts. Returns how many rows of each table there were. The sink must have written whatever it was going to write of them.
 */
export async function eraseRecipients(
  clickhouse: ClickHouse,
  { database, cluster }: Pick<ClickHouseAddress, 'database' | 'cluster'>,
  recipients: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const erased = new Map<string, number>();
  const onCluster = cluster === undefined ? '' : ` ON CLUSTER ${quoted(cluster)}`;
  for (const { table, column } of await namingTables(clickhouse, database)) {
    for (let start = 0; start < recipients.length; start += AT_ONCE) {
      const some = recipients.slice(start, start + AT_ONCE);
      const found = await count(clickhouse, { table, column }, some);
      erased.set(table, (erased.get(table) ?? 0) + found);
      if (found === 0) continue;
      const list = some.map(text).join(', ');
      await clickhouse.command(
        `ALTER TABLE ${quoted(database)}.${quoted(table)}${onCluster} DELETE WHERE ${quoted(column)} IN (${list}) SETTINGS mutations_sync = 2`,
        undefined,
        MUTATION_MS,
      );
    }
  }
  return erased;
}

/** How many rows of each table name one of the recipients. */
export async function rowsOfRecipients(
  clickhouse: ClickHouse,
  database: string,
  recipients: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const rows = new Map<string, number>();
  for (const naming of await namingTables(clickhouse, database))
    rows.set(naming.table, await count(clickhouse, naming, recipients));
  return rows;
}

/** By the schema as it is, so that a table of a later migration is not forgotten. */
async function namingTables(clickhouse: ClickHouse, database: string): Promise<Naming[]> {
  return clickhouse.query<Naming>(
    `SELECT table, if(has(groupArray(name), 'recipient_key'), 'recipient_key', 'recipient') AS column
     FROM system.columns
     WHERE database = {database:String} AND name IN ('recipient', 'recipient_key')
       AND table IN (SELECT name FROM system.tables WHERE database = {database:String} AND engine LIKE '%MergeTree')
     GROUP BY table ORDER BY table`,
    { database },
  );
}

async function count(
  clickhouse: ClickHouse,
  { table, column }: Naming,
  recipients: readonly string[],
): Promise<number> {
  const [row] = await clickhouse.query<{ rows: string }>(
    `SELECT count() AS rows FROM ${quoted(table)} WHERE ${quoted(column)} IN {recipients:Array(String)}`,
    { recipients },
  );
  if (!row) throw new Error('a count is one row');
  return Number(row.rows);
}

/** Of a statement that takes no parameters. */
const text = (value: string) => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
