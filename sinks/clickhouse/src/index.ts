export { INSERTS_AHEAD_MS, MOST_INSERTS } from './config.ts';
export { type ClickHouse, type ClickHouseAddress, connect, type QueryParameters } from './connection.ts';
export type { FillProgress } from './fill.ts';
export { type MigrationPlan, migrate, planMigrations } from './migrate.ts';
export { type Migration, readMigrations } from './migrations.ts';
export { METRICS, type Metric } from './model/metrics.ts';
export type { ClickHouseValue } from './rows.ts';
export { createClickHouseSink } from './sink.ts';
export { startClickHouseSink } from './start.ts';
