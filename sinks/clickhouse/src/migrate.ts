import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { PipelineError } from '@email-events/core';
import { type ClickHouse, type ClickHouseAddress, connect, quoted } from './connection.ts';
import { failureKindOf } from './errors.ts';

/** One numbered SQL file. Never edited once it is released: what comes later is another file. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  /** SHA-256 of the file. */
  readonly checksum: string;
  readonly sql: string;
}

export interface MigrationPlan {
  readonly applied: readonly Pick<Migration, 'version' | 'name'>[];
  /** Migrations that are still to be applied, or were just applied; in order. */
  readonly pending: readonly {
    readonly version: number;
    readonly name: string;
    /** As sent to the server. */
    readonly statements: readonly string[];
  }[];
}

interface AppliedRow {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
}

const FOLDER = new URL('../migrations/', import.meta.url);
const LEDGER = 'schema_migrations';
/**
 * More than those of an hour, at the most that the setting allows and with those that are ahead of their time, twice, since a lane's next owner
 * does not know of the last one's: of the lanes of events, and as many of the lanes by which refused records come back, which may be events too.
 */
export const DEDUPLICATED_INSERTS = 300_000;
const DEDUPLICATED_SECONDS = 7 * 86_400;

/** The plan of `migrate`. Changes nothing. */
export async function planMigrations(
  address: ClickHouseAddress,
  migrations: readonly Migration[] = readMigrations(),
): Promise<MigrationPlan> {
  return withConnection(address, (clickhouse) => planOf(clickhouse, address, migrations));
}

/**
 * Brings the database to this version's tables and views; doing it again changes nothing. Two at a time are not safe.
 * Throws SINK_CLICKHOUSE_MIGRATION_EDITED if an applied file has changed since or is gone, with nothing changed.
 * When the server refuses a statement, the earlier ones of its file are done; statements can be repeated, so calling it
 * again goes on from there.
 */
export async function migrate(
  address: ClickHouseAddress,
  migrations: readonly Migration[] = readMigrations(),
): Promise<MigrationPlan> {
  return withConnection(address, async (clickhouse) => {
    const plan = await planOf(clickhouse, address, migrations);
    if (plan.pending.length === 0) return plan;
    for (const statement of ledgerStatements(address)) await clickhouse.command(statement);
    const checksums = new Map(migrations.map(({ version, checksum }) => [version, checksum]));
    for (const { version, name, statements } of plan.pending) {
      for (const statement of statements) await clickhouse.command(statement);
      const values = `(${version}, '${name}', '${checksums.get(version)}')`;
      await clickhouse.command(
        `INSERT INTO ${quoted(address.database)}.${LEDGER} (version, name, checksum) VALUES ${values}`,
      );
    }
    return plan;
  });
}

/** The files of the folder, `0001_name.sql`, in order. */
export function readMigrations(folder: URL = FOLDER): Migration[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((file, index) => {
      const [, number, name] = /^(\d{4})_([a-z0-9_]+)\.sql$/.exec(file) ?? [];
      if (!number || !name || Number(number) !== index + 1) {
        throw new PipelineError('SINK_CLICKHOUSE_MIGRATION_EDITED', 'fatal', `${file}: not the next number`);
      }
      const sql = readFileSync(new URL(file, folder), 'utf8');
      return { version: Number(number), name, checksum: createHash('sha256').update(sql).digest('hex'), sql };
    });
}

/**
 * Statements of a file: each ends with a semicolon at the end of a line. Placeholders: {{database}}, {{on_cluster}},
 * {{engine Name}} (its replicated sister on a cluster) and {{deduplication}} (how many inserts a table remembers).
 */
export function statementsOf(sql: string, { database, cluster }: ClickHouseAddress): string[] {
  const remembered = cluster
    ? `replicated_deduplication_window = ${DEDUPLICATED_INSERTS}, replicated_deduplication_window_seconds = ${DEDUPLICATED_SECONDS}`
    : `non_replicated_deduplication_window = ${DEDUPLICATED_INSERTS}`;
  return sql
    .replaceAll('{{database}}', quoted(database))
    .replaceAll('{{on_cluster}}', cluster ? `ON CLUSTER ${quoted(cluster)}` : '')
    .replaceAll(/\{\{engine (\w+)\}\}/g, (_, engine: string) => (cluster ? `Replicated${engine}` : engine))
    .replaceAll('{{deduplication}}', remembered)
    .split(/;[ \t]*(?:\n|$)/)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
}

async function planOf(
  clickhouse: ClickHouse,
  address: ClickHouseAddress,
  migrations: readonly Migration[],
): Promise<MigrationPlan> {
  const applied = await readLedger(clickhouse, address.database);
  for (const row of applied) {
    const file = migrations.find(({ version }) => version === row.version);
    if (file?.checksum === row.checksum) continue;
    const what = file ? 'was edited after it was applied' : 'was applied but is not known here';
    const message = `migration ${row.version} (${row.name}) ${what}`;
    throw new PipelineError('SINK_CLICKHOUSE_MIGRATION_EDITED', 'fatal', message);
  }
  const last = applied.at(-1)?.version ?? 0;
  const pending = migrations
    .filter(({ version }) => version > last)
    .map(({ version, name, sql }) => ({ version, name, statements: statementsOf(sql, address) }));
  return { applied: applied.map(({ version, name }) => ({ version, name })), pending };
}

async function readLedger(clickhouse: ClickHouse, database: string): Promise<AppliedRow[]> {
  try {
    return await clickhouse.query<AppliedRow>(
      `SELECT DISTINCT version, name, checksum FROM ${quoted(database)}.${LEDGER} ORDER BY version`,
    );
  } catch (error) {
    // No database or no table yet: nothing was ever applied.
    if (failureKindOf(error) === 'schema') return [];
    throw error;
  }
}

function ledgerStatements(address: ClickHouseAddress): string[] {
  return statementsOf(
    `CREATE DATABASE IF NOT EXISTS {{database}} {{on_cluster}};
     CREATE TABLE IF NOT EXISTS {{database}}.${LEDGER} {{on_cluster}}
     (
       version UInt32 COMMENT 'Number of the file',
       name String COMMENT 'Name of the file',
       checksum String COMMENT 'SHA-256 of the file when it was applied',
       applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When it was applied'
     )
     ENGINE = {{engine MergeTree}} ORDER BY version COMMENT 'Migrations that were applied';`,
    address,
  );
}

async function withConnection<T>(
  address: ClickHouseAddress,
  work: (clickhouse: ClickHouse) => Promise<T>,
): Promise<T> {
  // The database itself may have to be made first.
  const clickhouse = connect({ ...address, database: 'default' });
  try {
    return await work(clickhouse);
  } finally {
    await clickhouse.close();
  }
}
