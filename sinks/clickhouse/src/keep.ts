import { type ClickHouse, type ClickHouseAddress, quoted } from './connection.ts';

/**
 * By the time of what happened. A row of `dead_letters` that replaces another one is never older than it, so the older one does not come back; of a
 * message, what was said of it later goes later.
 */
const TABLES = [
  { setting: 'keepEventsDays', table: 'email_events', column: 'occurred_at' },
  { setting: 'keepMessagesDays', table: 'message_facts', column: 'first_at' },
  { setting: 'keepDeadLettersDays', table: 'dead_letters', column: 'last_at' },
] as const;

/** As the server writes it. In hours, so that it is known for ours: people write such limits in days. */
const ttlOf = (column: string, days: number) => `${column} + toIntervalHour(${days * 24})`;

/** Statements that bring the tables' TTL to the settings: none for a table that has it, or that has one which somebody else gave it and no setting. */
export async function keepStatements(clickhouse: ClickHouse, address: ClickHouseAddress): Promise<string[]> {
  const rows = await clickhouse.query<{ name: string; engine_full: string }>(
    `SELECT name, engine_full FROM system.tables WHERE database = {database:String} AND has({tables:Array(String)}, name)`,
    { database: address.database, tables: TABLES.map(({ table }) => table) },
  );
  const engines = new Map(rows.map(({ name, engine_full }) => [name, engine_full]));
  const onCluster = address.cluster ? ` ON CLUSTER ${quoted(address.cluster)}` : '';
  return TABLES.flatMap(({ setting, table, column }) => {
    const days = address[setting];
    const engine = engines.get(table);
    if (engine === undefined) return [];
    const present = ttlIn(engine);
    const alter = `ALTER TABLE ${quoted(address.database)}.${table}${onCluster}`;
    if (days !== undefined)
      return present === ttlOf(column, days) ? [] : [`${alter} MODIFY TTL ${ttlOf(column, days)}`];
    const isOurs = new RegExp(`^${column} \\+ toIntervalHour\\(\\d+\\)$`).test(present);
    return isOurs ? [`${alter} REMOVE TTL`] : [];
  });
}

/** For how long all rows are kept that have a time in this column. */
export interface KeptFor {
  readonly column: 'occurred_at' | 'received_at';
  /** Milliseconds: at least that long. */
  readonly ms: number;
}

/** For how long the table of events keeps its rows, whoever said so; none: for good. `kept` is undefined if its TTL is of a form that is not known. */
export async function eventsKept(
  clickhouse: ClickHouse,
  database: string,
): Promise<{ readonly kept: readonly KeptFor[] | undefined; readonly ttl: string }> {
  const [row] = await clickhouse.query<{ engine_full: string }>(
    `SELECT engine_full FROM system.tables WHERE database = {database:String} AND name = 'email_events'`,
    { database },
  );
  if (!row) return { kept: undefined, ttl: 'system.tables does not show it' };
  const ttl = ttlIn(row.engine_full);
  const kept: KeptFor[] = [];
  for (const part of ttl === '' ? [] : ttl.split(', ')) {
    // It moves rows, and removes none.
    if (/ (?:TO (?:DISK|VOLUME) '[^']*'|RECOMPRESS CODEC\(.*\))$/.test(part)) continue;
    const [, date, column, unit = '', count] = REMOVES.exec(part) ?? [];
    if (column === undefined) return { kept: undefined, ttl };
    // A date is the beginning of its day.
    const days = Number(count) * (DAYS[unit] ?? 0) - (date === 'toDate(' ? 1 : 0);
    kept.push({ column: column as KeptFor['column'], ms: days * DAY_MS });
  }
  return { kept, ttl };
}

const REMOVES =
  /^(toDate\(|toDateTime\()?(occurred_at|received_at)\)? \+ toInterval(Hour|Day|Week|Month|Quarter|Year)\((\d+)\)(?: DELETE)?$/;
/** At least. */
const DAYS: { readonly [unit: string]: number } = {
  Hour: 1 / 24,
  Day: 1,
  Week: 7,
  Month: 28,
  Quarter: 89,
  Year: 365,
};
const DAY_MS = 86_400_000;

/** The TTL of a table; empty if it has none. */
const ttlIn = (engine: string) => / TTL (.*?)(?: SETTINGS |$)/s.exec(engine)?.[1] ?? '';
