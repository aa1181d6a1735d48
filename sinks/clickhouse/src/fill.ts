import { setTimeout as pause } from 'node:timers/promises';
import { type ClickHouse, type ClickHouseAddress, quoted } from './connection.ts';

/** How far a statement is that fills a table from what another one holds. */
export interface FillProgress {
  readonly migration: string;
  readonly done: number;
  readonly days: number;
}

interface Filling {
  readonly clickhouse: ClickHouse;
  readonly address: ClickHouseAddress;
  readonly version: number;
  readonly name: string;
  readonly onProgress?: ((progress: FillProgress) => void) | undefined;
}

const EACH_DAY = /\{\{each day of (\w+)\}\}/;
const LEDGER = 'schema_fills';

export const isFilling = (statement: string): boolean => EACH_DAY.test(statement);

/** Makes the table that remembers what is filled. A statement of migrations. */
export const FILL_LEDGER = `CREATE TABLE IF NOT EXISTS {{database}}.${LEDGER} {{on_cluster}}
(
  version UInt32 COMMENT 'Number of the migration that fills',
  day UInt32 COMMENT 'Day of the events that were read, UTC, as YYYYMMDD',
  filled_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When it was done'
)
ENGINE = {{engine MergeTree}} ORDER BY (version, day) COMMENT 'How far migrations are that fill a new table from what there is'`;

/**
 * Fills a table from the events that were there before it, a day of them at a time, the newest first; what an earlier run has done is not done
 * again. Rows may come in meanwhile: the materialised view is there already, and its table takes the same row twice as once (a test holds every
 * such table to that). Only an insert that began before the view may be seen by neither, so the first part waits for those to end.
 */
export async function fill(statement: string, filling: Filling): Promise<void> {
  const { clickhouse, address, version, name, onProgress } = filling;
  const { database } = address;
  const [placeholder = '', table = ''] = EACH_DAY.exec(statement) ?? [];
  const from = `${quoted(database)}.${quoted(table)}`;
  await untilInsertsEnd(filling);
  if (address.cluster) await clickhouse.command(...untilReplicated(from));
  const days = await clickhouse.query<{ day: number }>(
    `SELECT toYYYYMMDD(occurred_at) AS day FROM ${from} GROUP BY day ORDER BY day DESC`,
  );
  const ledger = `${quoted(database)}.${LEDGER}`;
  const before = await clickhouse.query<{ day: number }>(
    `SELECT DISTINCT day FROM ${ledger} WHERE version = ${version}`,
  );
  const filled = new Set(before.map(({ day }) => day));
  for (const [index, { day }] of days.entries()) {
    if (!filled.has(day)) {
      const part = statement.replace(placeholder, `toYYYYMMDD(occurred_at) = ${day}`);
      await clickhouse.command(part, undefined, DAY_MS);
      await clickhouse.command(`INSERT INTO ${ledger} (version, day) VALUES (${version}, ${day})`);
    }
    onProgress?.({ migration: name, done: index + 1, days: days.length });
  }
}

/** No request may take longer: the connection's own limit. A day of 20 million events takes a few minutes. */
const DAY_MS = 900_000;
const INSERT_MS = 900_000;
const REPLICATED_MS = 900_000;
const LOOK_MS = 200;

/**
 * What another replica was given before it had the view has not come here by its end, and comes as a part, past the view. LIGHTWEIGHT: merges
 * are not waited for. The server has its own limit, of 5 minutes.
 */
const untilReplicated = (from: string): Parameters<ClickHouse['command']> => [
  `SYSTEM SYNC REPLICA ${from} LIGHTWEIGHT`,
  undefined,
  REPLICATED_MS,
  { receive_timeout: REPLICATED_MS / 1_000 },
];

/** Those that run now; not those that begin meanwhile, which know the view. */
async function untilInsertsEnd({ clickhouse, address }: Filling): Promise<void> {
  const { database, cluster } = address;
  const processes = cluster ? `clusterAllReplicas(${quoted(cluster)}, system.processes)` : 'system.processes';
  const running = async (ids?: readonly string[]) => {
    const among = ids ? ' AND has({ids:Array(String)}, query_id)' : '';
    const rows = await clickhouse.query<{ id: string }>(
      `SELECT query_id AS id FROM ${processes}
       WHERE query_kind = 'Insert' AND (current_database = {database:String} OR position(query, {database:String}) > 0)${among}`,
      { database, ...(ids ? { ids } : {}) },
    );
    return rows.map(({ id }) => id);
  };
  const before = await running();
  for (const deadline = performance.now() + INSERT_MS; before.length > 0; await pause(LOOK_MS)) {
    if ((await running(before)).length === 0) return;
    if (performance.now() > deadline)
      throw new Error(`inserts that began before have not ended: ${before.join(', ')}`);
  }
}
