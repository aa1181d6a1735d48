import { PipelineError } from '@email-events/core';
import { isAdditive } from './additive.ts';
import { type ClickHouse, type ClickHouseAddress, connect, quoted } from './connection.ts';
import { failureKindOf } from './errors.ts';
import { FILL_LEDGER, type FillProgress, fill, isFilling } from './fill.ts';
import { keepStatements } from './keep.ts';
import { type Migration, readMigrations } from './migrations.ts';
import { refuseShards } from './shards.ts';
import { statementsOf } from './statements.ts';

export interface MigrationPlan {
  readonly applied: readonly Pick<Migration, 'version' | 'name'>[];
  /** Of a newer release, which add to what this one needs. */
  readonly newer: readonly Pick<Migration, 'version' | 'name'>[];
  /** Migrations that are still to be applied, or were just applied; in order. */
  readonly pending: readonly {
    readonly version: number;
    readonly name: string;
    /** As sent to the server, but that one which fills a table is sent once for each day. */
    readonly statements: readonly string[];
  }[];
  /** What brings the tables to how long rows are kept, by the configuration; empty if they are there, and where tables are still to be made. */
  readonly keep: readonly string[];
}

interface AppliedRow {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
  /** Absent where a release made the ledger that did not say so yet. */
  readonly additive?: number;
}

const LEDGER = 'schema_migrations';

/** What takes the place of a table drops it, which the server refuses of one above its limit: 50 GB, unless it is told otherwise. */
const DDL_SETTINGS = { max_table_size_to_drop: 0 };

/** On a cluster every replica answers. What is too old is then removed in the background. */
const KEEP_MS = 300_000;

/** The plan of `migrate`. Changes nothing. Throws as that does. */
export async function planMigrations(
  address: ClickHouseAddress,
  migrations: readonly Migration[] = readMigrations(),
): Promise<MigrationPlan> {
  return withConnection(address, (clickhouse) => planOf(clickhouse, address, migrations));
}

/**
 * Brings the database to this version's tables and views; doing it again changes nothing. Two at a time are not safe.
 * What a newer release has applied is left alone if all of it only adds. Throws SINK_CLICKHOUSE_MIGRATION_EDITED if it does not, or if an applied file
 * has changed since or is gone, and SINK_CLICKHOUSE_SHARDED of a cluster of several shards, with nothing changed.
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
    if (plan.pending.length > 0) await apply(plan, { clickhouse, address, migrations, onProgress });
    // The tables may have been made just now.
    const keep = await keepStatements(clickhouse, address);
    for (const statement of keep) await clickhouse.command(statement, undefined, KEEP_MS);
    return { ...plan, keep };
  });
}

interface Applying {
  readonly clickhouse: ClickHouse;
  readonly address: ClickHouseAddress;
  readonly migrations: readonly Migration[];
  readonly onProgress: ((progress: FillProgress) => void) | undefined;
}

async function apply(plan: MigrationPlan, applying: Applying): Promise<void> {
  const { clickhouse, address, migrations, onProgress } = applying;
  for (const statement of ledgerStatements(address)) await clickhouse.command(statement);
  const checksums = new Map(migrations.map(({ version, checksum }) => [version, checksum]));
  for (const { version, name, statements } of plan.pending) {
    for (const statement of statements) {
      if (isFilling(statement)) await fill(statement, { clickhouse, address, version, name, onProgress });
      else await clickhouse.command(statement, undefined, undefined, DDL_SETTINGS);
    }
    const row = [version, `'${name}'`, `'${checksums.get(version)}'`, Number(isAdditive(statements))];
    await clickhouse.command(
      `INSERT INTO ${quoted(address.database)}.${LEDGER} (version, name, checksum, additive) VALUES (${row.join(', ')})`,
    );
  }
}

async function planOf(
  clickhouse: ClickHouse,
  address: ClickHouseAddress,
  migrations: readonly Migration[],
): Promise<MigrationPlan> {
  await refuseShards(clickhouse, address);
  const rows = await readLedger(clickhouse, address.database);
  const known = migrations.at(-1)?.version ?? 0;
  for (const row of rows) {
    const why = problemOf(row, migrations, known);
    if (why === undefined) continue;
    const message = `migration ${row.version} (${row.name}) ${why}`;
    throw new PipelineError('SINK_CLICKHOUSE_MIGRATION_EDITED', 'fatal', message);
  }
  const last = rows.at(-1)?.version ?? 0;
  const pending = migrations
    .filter(({ version }) => version > last)
    .map(({ version, name, sql }) => ({ version, name, statements: statementsOf(sql, address) }));
  const named = rows.map(({ version, name }) => ({ version, name }));
  return {
    applied: named.filter(({ version }) => version <= known),
    newer: named.filter(({ version }) => version > known),
    pending,
    keep: await keepStatements(clickhouse, address),
  };
}

function problemOf(
  { version, checksum, additive }: AppliedRow,
  migrations: readonly Migration[],
  known: number,
): string | undefined {
  const file = migrations.find((migration) => migration.version === version);
  if (file) return file.checksum === checksum ? undefined : 'was edited after it was applied';
  if (version <= known) return 'was applied but is not known here';
  return additive === 1 ? undefined : 'is of a newer release, and does not only add to what this one needs';
}

async function readLedger(clickhouse: ClickHouse, database: string): Promise<AppliedRow[]> {
  try {
    // All columns, since a ledger may be older than the last of them.
    return await clickhouse.query<AppliedRow>(
      `SELECT DISTINCT * EXCEPT applied_at FROM ${quoted(database)}.${LEDGER} ORDER BY version`,
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
     ALTER TABLE {{database}}.${LEDGER} {{on_cluster}}
       ADD COLUMN IF NOT EXISTS additive UInt8 COMMENT '1: it only adds, so a release that does not know it works on; 0 in rows from before this was said';
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
