import { expect, test } from 'vitest';
import type { ClickHouse } from './connection.ts';
import { EVENT_COLUMNS, type Kind } from './event-columns.ts';
import { type ColumnType, TableTypes } from './table-types.ts';

const TYPES: { readonly [K in Kind]: string } = {
  ...{ text: 'String', time: "DateTime64(3, 'UTC')", long: 'Int64', int: 'Int32', flag: 'Bool' },
  ...{ texts: 'Array(String)', pairs: 'Map(String, String)' },
};
const NAMES = EVENT_COLUMNS.map(({ name }) => name);

/** The table as migrations make it, but for some columns. Notes how often it is asked for. */
function table(others: { [column: string]: string } = {}) {
  const of = { others, asked: 0 };
  const query = async (): Promise<ColumnType[]> => {
    of.asked += 1;
    return EVENT_COLUMNS.map(({ name, kind, nullable }) => {
      const type = nullable ? `Nullable(${TYPES[kind]})` : TYPES[kind];
      return { name, type: of.others[name] ?? type };
    });
  };
  return Object.assign(of, { types: new TableTypes({ query } as Partial<ClickHouse> as ClickHouse) });
}

const headerOf = (others?: { [column: string]: string }) => table(others).types.headerFor('t', NAMES);

test('binary rows begin with the names of the columns and the types that they have', async () => {
  const of = table({ esp: 'LowCardinality(String)' });
  const header = await of.types.headerFor('t', NAMES);
  expect(header?.[0]).toBe(NAMES.length);
  const text = header?.toString('latin1') ?? '';
  expect(text.indexOf('\u0008event_id')).toBeGreaterThan(0);
  expect(text).toContain('\u0016LowCardinality(String)');
  expect(text).toContain("\u0014DateTime64(3, 'UTC')");
  expect(await of.types.headerFor('t', NAMES)).toBe(header);
  expect(of.asked).toBe(1);
});

test('types that are written alike are as good', async () => {
  const alike = {
    ...{
      type: 'LowCardinality(String)',
      occurred_at: 'DateTime64(3)',
      url: 'LowCardinality(Nullable(String))',
    },
    ...{ tags: 'Array(LowCardinality(String))', metadata: 'Map(LowCardinality(String), String)' },
  };
  expect(await headerOf(alike)).toBeDefined();
});

test.each([
  ['raw_offset', 'UInt64'],
  ['attempt', 'Nullable(Int64)'],
  ['attempt', 'Int32'],
  ['event_id', 'Nullable(String)'],
  ['event_id', 'FixedString(32)'],
  ['occurred_at', "DateTime64(6, 'UTC')"],
  ['url', 'Nullable(FixedString(10))'],
  ['tags', 'Array(Nullable(String))'],
  ['esp', "Enum8('sendgrid' = 1)"],
])('a column that is written in another way takes lines only: %s %s', async (column, type) => {
  expect(await headerOf({ [column]: type })).toBeUndefined();
});

test('a table that was altered is asked for again, and is known as altered once', async () => {
  const of = table();
  await of.types.headerFor('t', NAMES);
  expect(await of.types.changed('t', NAMES)).toBe(false);
  of.others.esp = 'LowCardinality(String)';
  expect(await of.types.changed('t', NAMES)).toBe(true);
  expect(await of.types.changed('t', NAMES)).toBe(false);
  of.others.attempt = 'Nullable(Int64)';
  expect(await of.types.changed('t', NAMES)).toBe(true);
  expect(await of.types.headerFor('t', NAMES)).toBeUndefined();
});

test('an error is not kept: the table may be there later', async () => {
  const of = table();
  let missing = true;
  const query = async () => {
    if (missing) throw new Error('no such table');
    return EVENT_COLUMNS.map(({ name }) => ({ name, type: of.others[name] ?? 'String' }));
  };
  const types = new TableTypes({ query } as Partial<ClickHouse> as ClickHouse);
  await expect(types.headerFor('t', NAMES)).rejects.toThrow('no such table');
  missing = false;
  expect(await types.headerFor('t', NAMES)).toBeUndefined();
});
