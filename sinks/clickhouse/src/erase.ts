import { hash, randomBytes } from 'node:crypto';
import { isPseudonym } from '@email-events/core';
import { type ClickHouse, type ClickHouseAddress, quoted } from './connection.ts';
import { isStoredPseudonym } from './private/pseudonyms.ts';

/** A table that names recipients: in a column with their keys, or, as dead letters do, somewhere in bytes. */
interface Naming {
  readonly table: string;
  readonly column: string;
  /** Columns of bytes in base 64. */
  readonly bytes: readonly string[];
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
  const settings = cluster === undefined ? '' : `, distributed_ddl_task_timeout = ${MUTATION_MS / 1_000}`;
  for (const naming of await namingTables(clickhouse, database)) {
    const { table } = naming;
    for (let start = 0; start < recipients.length; start += AT_ONCE) {
      const some = recipients.slice(start, start + AT_ONCE);
      const found = await count(clickhouse, naming, some);
      erased.set(table, (erased.get(table) ?? 0) + found);
      // The replica that was asked may not have all rows yet.
      if (found === 0 && cluster === undefined) continue;
      await clickhouse.command(
        `ALTER TABLE ${quoted(database)}.${quoted(table)}${onCluster} DELETE WHERE ${conditionOf(naming, some)} SETTINGS mutations_sync = 2${settings}`,
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

/** Recipients of one query. */
const BUCKET = 100_000;

/** The keys of all recipients that tables name, in parts: one may come again, for another table. */
export async function* recipientsInRows(clickhouse: ClickHouse, database: string): AsyncGenerator<string[]> {
  for (const { table, column } of await namingTables(clickhouse, database)) {
    if (column === '') continue;
    const [of, from] = [quoted(column), quoted(table)];
    const [size] = await clickhouse.query<{ n: string }>(`SELECT uniq(${of}) AS n FROM ${from}`);
    if (!size) throw new Error('a count is one row');
    const buckets = Math.ceil(Number(size.n) / BUCKET);
    for (let bucket = 0; bucket < buckets; bucket++) {
      const rows = await clickhouse.query<{ recipient: string }>(
        `SELECT DISTINCT ${of} AS recipient FROM ${from} WHERE ${of} != '' AND cityHash64(${of}) % ${buckets} = ${bucket}`,
      );
      yield rows.map(({ recipient }) => recipient);
    }
  }
}

/** By the schema as it is, so that a table of a later migration is not forgotten. */
async function namingTables(clickhouse: ClickHouse, database: string): Promise<Naming[]> {
  return clickhouse.query<Naming>(
    `SELECT table,
       multiIf(has(groupArray(name), 'recipient_key'), 'recipient_key', has(groupArray(name), 'recipient'), 'recipient', '') AS column,
       arrayFilter(name -> endsWith(name, '_base64'), groupArray(name)) AS bytes
     FROM system.columns
     WHERE database = {database:String} AND (name IN ('recipient', 'recipient_key') OR (endsWith(name, '_base64') AND type IN ('String', 'Nullable(String)')))
       AND table IN (SELECT name FROM system.tables WHERE database = {database:String} AND engine LIKE '%MergeTree')
     GROUP BY table ORDER BY table`,
    { database },
  );
}

async function count(clickhouse: ClickHouse, naming: Naming, recipients: readonly string[]): Promise<number> {
  let rows = 0;
  for (let start = 0; start < recipients.length; start += AT_ONCE) {
    const condition = conditionOf(naming, recipients.slice(start, start + AT_ONCE));
    const [row] = await clickhouse.query<{ rows: string }>(
      `SELECT count() AS rows FROM ${quoted(naming.table)} WHERE ${condition}`,
    );
    if (!row) throw new Error('a count is one row');
    rows += Number(row.rows);
  }
  return rows;
}

/**
 * The server keeps the text of mutations and queries, so it does not say the addresses: keys are compared by a salted hash. What is searched for in bytes
 * has to be said: in hex, of tables with bytes only.
 */
function conditionOf({ column, bytes }: Naming, recipients: readonly string[]): string {
  const salt = randomBytes(16).toString('hex');
  const hashes = recipients.map((recipient) => `unhex('${hash('sha256', salt + recipient, 'hex')}')`);
  const byKey =
    column === '' ? [] : [`SHA256(concat('${salt}', ${quoted(column)})) IN (${hashes.join(', ')})`];
  const inBytes = bytes.flatMap((name) =>
    recipients
      .filter(isAddress)
      .map((recipient) => named(`lower(ifNull(tryBase64Decode(${quoted(name)}), ''))`, recipient)),
  );
  const conditions = [...byKey, ...inBytes];
  return conditions.length === 0 ? '0' : `(${conditions.join(' OR ')})`;
}

/** What stands for somebody is in no bytes, and what is no address is a word of many. */
const isAddress = (recipient: string) =>
  /^[^@\s]+@[^@\s]+$/.test(recipient) && !isPseudonym(recipient) && !isStoredPseudonym(recipient);

/** At the end of what stands before an address. Of four backslashes the server's literal makes two, and the pattern one. */
const ESCAPED = String.raw`(%[0-9a-f]{2}|\\\\[bfnrt]|\\\\u[0-9a-f]{4})$`;

/**
 * Whether bytes have the address as a whole: neither that of somebody whose name or domain only ends or begins like it. An escaped character of JSON or of a form
 * may stand before it.
 */
function named(bytes: string, recipient: string): string {
  const parts = `splitByString(unhex('${hexOf(recipient)}'), ${bytes})`;
  const begins = `(NOT match(right(before, 1), '^[a-z0-9._+-]$') OR match(right(before, 6), '${ESCAPED}'))`;
  const ends = `NOT match(substring(behind, 1, 2), '^([a-z0-9-]|[.][a-z0-9])')`;
  return `arrayExists((before, behind) -> ${begins} AND ${ends}, arrayPopBack(${parts}), arrayPopFront(${parts}))`;
}

const hexOf = (text: string) => Buffer.from(text).toString('hex');
