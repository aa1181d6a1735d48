import type { ClickHouse } from './connection.ts';
import { EVENT_COLUMNS, type EventColumn, type Kind } from './event-columns.ts';
import { RowBuffer } from './row-binary.ts';

/**
 * Types of the columns of tables that get binary rows, asked for once. Each insert names the types that its rows are for: of a table that
 * was altered meanwhile the server refuses it, rather than read its bytes as something else.
 */
export class TableTypes {
  private readonly clickhouse: ClickHouse;
  private readonly known = new Map<string, Buffer | null>();

  constructor(clickhouse: ClickHouse) {
    this.clickhouse = clickhouse;
  }

  /** The beginning of binary rows for these columns; undefined if they would not be read as what they are. */
  async headerFor(table: string, names: readonly string[]): Promise<Buffer | undefined> {
    let header = this.known.get(table);
    if (header === undefined) {
      header = headerOf(await describe(this.clickhouse, table, names)) ?? null;
      this.known.set(table, header);
    }
    return header ?? undefined;
  }

  /** True if the table is not what it was, or may not be; it is asked for again then. */
  async changed(table: string, names: readonly string[]): Promise<boolean> {
    const before = this.known.get(table);
    this.known.delete(table);
    const now = (await this.headerFor(table, names)) ?? null;
    return before === undefined || before === null || now === null ? before !== now : !before.equals(now);
  }
}

export interface ColumnType {
  readonly name: string;
  readonly type: string;
}

/** Columns of a table in this order. Throws what ClickHouse says if one is missing. */
export function describe(
  clickhouse: ClickHouse,
  table: string,
  names: readonly string[],
): Promise<ColumnType[]> {
  return clickhouse.query<ColumnType>(`DESCRIBE TABLE (SELECT ${names.join(', ')} FROM ${table} LIMIT 0)`);
}

/** Of RowBinaryWithNamesAndTypes: how many columns, their names and their types. */
function headerOf(columns: readonly ColumnType[]): Buffer | undefined {
  const fits = columns.every(({ name, type }, n) => {
    const own = EVENT_COLUMNS[n];
    return own?.name === name && holds(type, own);
  });
  if (!fits || columns.length !== EVENT_COLUMNS.length) return undefined;
  const out = new RowBuffer();
  let most = 5;
  for (const { name, type } of columns) most += 10 + 3 * (name.length + type.length);
  out.begin(most);
  out.size(columns.length);
  for (const { name } of columns) out.text(name);
  for (const { type } of columns) out.text(type);
  out.end();
  return Buffer.concat(out.finish().chunks);
}

const TEXT = '(?:String|LowCardinality\\(String\\))';
/** Types that are written alike. A dictionary of texts is written as its texts. */
const TYPES: { readonly [K in Kind]: string } = {
  text: TEXT,
  time: "DateTime64\\(3(?:, '[^']*')?\\)",
  long: 'Int64',
  int: 'Int32',
  flag: 'Bool',
  texts: `Array\\(${TEXT}\\)`,
  pairs: `Map\\(${TEXT}, ${TEXT}\\)`,
};

function holds(type: string, { kind, nullable }: EventColumn): boolean {
  if (!nullable) return new RegExp(`^${TYPES[kind]}$`).test(type);
  const plain = kind === 'text' ? 'String' : TYPES[kind];
  const dictionary = kind === 'text' ? '|LowCardinality\\(Nullable\\(String\\)\\)' : '';
  return new RegExp(`^(?:Nullable\\(${plain}\\)${dictionary})$`).test(type);
}
