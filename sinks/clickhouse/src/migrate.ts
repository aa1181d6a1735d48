import { PipelineError } from '@email-events/core';
import { type ClickHouse, type ClickHouseAddress, connect, quoted } from './connection.ts';
import { failureKindOf } from './errors.ts';
import { FILL_LEDGER, type FillProgress, fill, isFilling } from './fill.ts';
import { type Migration, readMigrations } from './migrations.ts';
import { statementsOf } from './statements.ts';

export interface MigrationPlan {
  readonly applied: readonly Pick<Migration, 'version' | 'name'>[];
  /** Migrations that are still to be applied, or were just applied; in order. */
  readonly pending: readonly {
    readonly version: number;
    readonly name: string;
    /** As sent to the server, but that one which fills a table is sent once for each day. */
    readonly statements: readonly string[];
  }[];
}

interface AppliedRow {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
}

const LEDGER = 'schema_migrations';

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
 * again goes on from there. Sinks may write meanwhile.
 */
export async function migrate(
  address: ClickHouseAddress,
  migrations: readonly Migration[] = readMigrations(),
  onProgress?: (progress: FillProgress) => void,
): Promise<MigrationPlan> {
  return withConnection(address, async (clickhouse) => {
    const plan = await planOf(clickhouse, address, migrations);
    if (plan.pending.length === 0) return plan;
    for (const statement of ledgerStatements(address)) await clickhouse.command(statement);
    const checksums = new Map(migrations.map(({ version, checksum }) => [version, checksum]));
    for (const { version, name, statements } of plan.pending) {
      for (const statement of statements) {
        if (isFilling(statement)) await fill(statement, { clickhouse, address, version, name, onProgress });
        else await clickhouse.command(statement);
      }
      const values = `(${version}, '${name}', '${checksums.get(version)}')`;
      await clickhouse.command(
        `INSERT INTO ${quoted(address.database)}.${LEDGER} (version, name, checksum) VALUES ${values}`,
      );
    }
    return plan;
  });
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
     ENGINE = {{engine MergeTree}} ORDER BY version COMMENT 'Migrations that were applied';
     ${FILL_LEDGER};`,
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
