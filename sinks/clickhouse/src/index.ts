export { INSERTS_AHEAD_MS, MOST_INSERTS } from './config.ts';
export { type ClickHouse, type ClickHouseAddress, connect, type QueryParameters } from './connection.ts';
export { type Migration, type MigrationPlan, migrate, planMigrations, readMigrations } from './migrate.ts';
export type { ClickHouseValue } from './rows.ts';
export { createClickHouseSink } from './sink.ts';
export { startClickHouseSink } from './start.ts';
