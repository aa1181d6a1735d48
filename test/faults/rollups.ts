import type { connect } from '@email-events/sink-clickhouse';

type ClickHouse = ReturnType<typeof connect>;

/** The rows of a materialised view's table, against what the view's own statement says over all rows now. */
export interface RollupEvidence {
  readonly view: string;
  /** Groups that were compared. */
  readonly groups: number;
  /** Groups that differ or are in one of both only, or why the view cannot be judged. */
  readonly differs: readonly string[];
  /** Events that it has counted, if that is what it counts. */
  readonly events: number | undefined;
}

export interface ViewRow {
  readonly name: string;
  readonly as_select: string;
  readonly create_table_query: string;
}

export interface TargetRow {
  readonly database: string;
  readonly table: string;
  readonly engine_full: string;
  readonly columns: readonly { readonly name: string; readonly key: boolean; readonly type: string }[];
}

const quote = (name: string) => `\`${name}\``;

/** Every materialised view that there is, so that a new one is judged without a word here. */
export async function readRollups(clickhouse: ClickHouse): Promise<RollupEvidence[]> {
  const views = await clickhouse.query<ViewRow>(
    `SELECT name, as_select, create_table_query FROM system.tables
     WHERE database = currentDatabase() AND engine = 'MaterializedView' ORDER BY name`,
  );
  const found: RollupEvidence[] = [];
  for (const view of views) found.push(await readRollup(clickhouse, view));
  return found;
}

async function readRollup(clickhouse: ClickHouse, view: ViewRow): Promise<RollupEvidence> {
  const target = await readTarget(clickhouse, targetOf(view.create_table_query));
  const queries = target && queriesOf(view, target);
  if (!queries) {
    const differs = ['the judge does not know how its table merges rows'];
    return { view: view.name, groups: 0, differs, events: undefined };
  }
  const rows = await clickhouse.query<object>(queries.differences);
  const [total] = await clickhouse.query<{ groups: string; events?: string }>(queries.totals);
  return {
    view: view.name,
    groups: Number(total?.groups ?? 0),
    differs: rows.map((row) => `${view.name}: ${JSON.stringify(row)}`),
    events: total?.events === undefined ? undefined : Number(total.events),
  };
}

function queriesOf(view: ViewRow, target: TargetRow) {
  const sums = summedColumns(target);
  if (sums) return rollupQueries(view, target, sums);
  const merged = mergedColumns(target);
  return merged && mergeQueries(view, target, merged);
}

async function readTarget(
  clickhouse: ClickHouse,
  target: { readonly database: string; readonly table: string } | undefined,
): Promise<TargetRow | undefined> {
  if (!target) return undefined;
  const [table] = await clickhouse.query<{ engine_full: string }>(
    'SELECT engine_full FROM system.tables WHERE database = {database:String} AND name = {table:String}',
    target,
  );
  const columns = await clickhouse.query<{ name: string; key: number; type: string }>(
    `SELECT name, is_in_sorting_key AS key, type FROM system.columns
     WHERE database = {database:String} AND table = {table:String} AND default_kind NOT IN ('ALIAS', 'EPHEMERAL')
     ORDER BY position`,
    target,
  );
  if (!table) return undefined;
  return {
    ...{ ...target, engine_full: table.engine_full },
    columns: columns.map(({ name, key, type }) => ({ name, key: Number(key) === 1, type })),
  };
}

/** Table that a view writes to, by its own statement. */
export function targetOf(create: string): { database: string; table: string } | undefined {
  const name = '`?([\\w.]+?)`?';
  const [, database, table] = new RegExp(`\\sTO ${name}\\.${name}[\\s(]`).exec(create) ?? [];
  return database === undefined || table === undefined ? undefined : { database, table };
}

/** Columns that are summed up when rows of the same key are merged; undefined: not all columns are these or the key. */
export function summedColumns({ engine_full, columns }: TargetRow): string[] | undefined {
  const [, list] =
    /^(?:Replicated|Shared)?SummingMergeTree\((?:'[^']*', ?)*\(?([\w`, ]*)\)?\)/.exec(engine_full) ?? [];
  if (list === undefined) return undefined;
  const named = list.replaceAll('`', '').split(/, */).filter(Boolean);
  const rest = columns.filter(({ key }) => !key).map(({ name }) => name);
  return rest.length > 0 && rest.every((name) => named.includes(name)) ? rest : undefined;
}

/** The function by which each column that is no key is merged; undefined: not all columns are the key or have one. */
export function mergedColumns({ engine_full, columns }: TargetRow): Map<string, string> | undefined {
  if (!/^(?:Replicated|Shared)?AggregatingMergeTree\b/.test(engine_full)) return undefined;
  const rest = columns.filter(({ key }) => !key);
  const found = new Map<string, string>();
  for (const { name, type } of rest) {
    const [, way] = /^SimpleAggregateFunction\((min|max|groupUniqArrayArray), /.exec(type) ?? [];
    if (way === undefined) return undefined;
    found.set(name, way);
  }
  return found.size > 0 ? found : undefined;
}

/** What the rows of a key come to, in the table and by the view's statement over all rows now. */
export function mergeQueries(
  { as_select }: ViewRow,
  { database, table, columns }: TargetRow,
  merged: ReadonlyMap<string, string>,
): { readonly differences: string; readonly totals: string } {
  const keys = columns.flatMap(({ name, key }) => (key ? [quote(name)] : [])).join(', ');
  const from = `${quote(database)}.${quote(table)}`;
  const names = [...merged.keys()].map(quote).join(', ');
  const together = [...merged].map(([name, way]) => {
    const all = `${way}(${quote(name)})`;
    return way === 'groupUniqArrayArray' ? `arraySort(${all})` : all;
  });
  return {
    differences: `SELECT ${keys}, groupArray(side) AS sides, groupArray(says) AS said FROM (
      SELECT ${keys}, side, toString(tuple(${together.join(', ')})) AS says FROM (
        SELECT ${keys}, ${names}, 'table' AS side FROM ${from}
        UNION ALL SELECT ${keys}, ${names}, 'rows' AS side FROM (${as_select})
      ) GROUP BY ${keys}, side
    ) GROUP BY ${keys} HAVING count() != 2 OR uniqExact(says) != 1 LIMIT 20`,
    totals: `SELECT uniqExact(${keys}) AS groups FROM ${from}`,
  };
}

export function rollupQueries(
  { as_select }: ViewRow,
  { database, table, columns }: TargetRow,
  sums: readonly string[],
): { readonly differences: string; readonly totals: string } {
  const keys = columns.flatMap(({ name, key }) => (key ? [quote(name)] : [])).join(', ');
  const from = `${quote(database)}.${quote(table)}`;
  const signed = (sign: '' | '-') =>
    sums.map((name, i) => `${sign}toInt64(${quote(name)}) AS signed_${i}`).join(', ');
  const surplus = sums.map((name, i) => `sum(signed_${i}) AS ${quote(`surplus_${name}`)}`).join(', ');
  const differs = sums.map((name) => `${quote(`surplus_${name}`)} != 0`).join(' OR ');
  return {
    differences: `SELECT ${keys}, ${surplus} FROM (
      SELECT ${keys}, ${signed('')} FROM ${from}
      UNION ALL SELECT ${keys}, ${signed('-')} FROM (${as_select})
    ) GROUP BY ${keys} HAVING ${differs} LIMIT 20`,
    totals: `SELECT uniqExact(${keys}) AS groups${sums.includes('events') ? ', sum(events) AS events' : ''} FROM ${from}`,
  };
}
