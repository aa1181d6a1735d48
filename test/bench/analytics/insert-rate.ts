import { type ClickHouse, type ClickHouseAddress, connect, migrate } from '@email-events/sink-clickhouse';
import { insertGenerated } from './generate.ts';

const ROWS = 10_000;
const ROUNDS = 3;

/**
 * Inserts of ready rows into a database with all materialised views, and into one that had them taken away, in turn; what making the rows costs
 * is the same on both sides, so they lie in a table before. They are of a few days of one month, as most inserts are.
 */
export async function insertRates(
  address: ClickHouseAddress,
  inserts: number,
): Promise<{ [figure: string]: number }> {
  const [all, none] = [await database(address, 'bench_all'), await database(address, 'bench_none')];
  try {
    const views = await none.query<{ name: string }>(
      "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'MaterializedView' ORDER BY name",
    );
    for (const { name } of views) await none.command(`DROP VIEW ${name} SYNC`);
    await all.command('CREATE TABLE ready AS email_events ENGINE = MergeTree ORDER BY raw_offset');
    await all.command(insertGenerated('ready', 0, inserts * ROWS, 1));
    const [seconds, cpu] = [
      { all: 0, none: 0 },
      { all: 0, none: 0 },
    ];
    const sides = [['all', all] as const, ['none', none] as const];
    for (let round = 0; round < ROUNDS; round++)
      for (const [side, clickhouse] of sides) {
        const before = await cpuMicros(clickhouse);
        seconds[side] += await insertAll(clickhouse, inserts, round);
        cpu[side] += (await cpuMicros(clickhouse)) - before;
      }
    const perRow = (micros: number) => Number((micros / (ROUNDS * inserts * ROWS)).toFixed(1));
    const rate = (taken: number) => Math.round((ROUNDS * inserts * ROWS) / taken);
    const figures = {
      ...{ views: views.length, insert_rows_per_second_with_views: rate(seconds.all) },
      insert_rows_per_second_without: rate(seconds.none),
      insert_ratio: Number((seconds.none / seconds.all).toFixed(2)),
      ...{ insert_cpu_micros_with_views: perRow(cpu.all), insert_cpu_micros_without: perRow(cpu.none) },
      insert_cpu_ratio: Number((cpu.none / cpu.all).toFixed(2)),
    };
    for (const [name, value] of Object.entries(figures)) process.stdout.write(`${name}  ${value}\n`);
    return figures;
  } finally {
    await Promise.all([all.close(), none.close()]);
  }
}

/** CPU time of all threads of the server that work for queries, merges meanwhile included. On a shared machine it says more than the clock. */
async function cpuMicros(clickhouse: ClickHouse): Promise<number> {
  const [row] = await clickhouse.query<{ micros: string }>(
    "SELECT value AS micros FROM system.events WHERE event = 'OSCPUVirtualTimeMicroseconds'",
  );
  if (!row) throw new Error('the server does not count its CPU time');
  return Number(row.micros);
}

async function database(address: ClickHouseAddress, name: string): Promise<ClickHouse> {
  const own = { ...address, database: name };
  await migrate(own);
  return connect(own);
}

async function insertAll(clickhouse: ClickHouse, inserts: number, round: number): Promise<number> {
  const started = performance.now();
  for (let n = 0; n < inserts; n++)
    await clickhouse.command(
      `INSERT INTO email_events SELECT * FROM bench_all.ready WHERE raw_offset >= ${n * ROWS} AND raw_offset < ${(n + 1) * ROWS}
       SETTINGS insert_deduplication_token = '${round}-${n}', deduplicate_blocks_in_dependent_materialized_views = 1, max_insert_threads = 1`,
    );
  return (performance.now() - started) / 1_000;
}
