import { isUtf8 } from 'node:buffer';
import type { SinkRecord } from '@email-events/core';
import {
  avroType,
  CodecError,
  createDecoder,
  EVENT_TYPES,
  type EventType,
  readPublished,
  schemas,
  topics,
  typeForSchema,
  VALUE_START,
} from '@email-events/schemas';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EVENT_COLUMNS, fieldsOf, type Kind, kindOf } from './event-columns.ts';
import { readRow } from './row-binary.fixture.ts';
import { RowBuffer } from './row-binary.ts';
import { type ClickHouseValue, writerOf } from './rows.ts';

// The object path, which reads Avro by its own rules and gives JSON, says what rows are. Rows out of bytes have to be the same.
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.constantFrom('', 'x'.repeat(300), 'é'.repeat(80)),
);
const VALUES: { readonly [K in Kind]: fc.Arbitrary<unknown> } = {
  text,
  time: fc.oneof(fc.integer({ min: 0, max: 4_000_000_000_000 }), fc.maxSafeInteger()).map(asLong),
  long: fc.maxSafeInteger().map(asLong),
  int: fc.integer(),
  flag: fc.boolean(),
  texts: fc.array(text, { maxLength: 4 }),
  pairs: fc.dictionary(
    text.filter((key) => key !== '__proto__'),
    text,
    { maxKeys: 4 },
  ),
};

/** What our writers can write. */
function asLong(value: number): number {
  return Math.max(-(2 ** 52), Math.min(2 ** 53 - 2, value));
}

interface Version {
  readonly type: EventType;
  readonly name: string;
  readonly schema: object;
}

const PUBLISHED = readPublished();
const VERSIONS: readonly Version[] = EVENT_TYPES.flatMap((type) => [
  { type, name: `${type}, today's`, schema: schemas[type] as object },
  ...versionsOf(type),
]);

/** Those that were ever published. */
function versionsOf(type: EventType): Version[] {
  const found = PUBLISHED.get(`${topics.events(type)}-value`) ?? [];
  return found.map((schema, n) => ({
    type,
    name: `${type}, published as v${n + 1}`,
    schema: schema as object,
  }));
}

const keyOfRecord = fc.oneof({ weight: 4, arbitrary: text }, { weight: 1, arbitrary: fc.constant(null) });

function eventsOf(version: Version): fc.Arbitrary<{ [field: string]: unknown }> {
  const { fields } = version.schema as { fields: readonly { name: string; type: unknown }[] };
  const arbitraries = fields.map(({ name, type }) => {
    const of = kindOf(type);
    if (!of) throw new Error(`${name} is of no known type`);
    return [name, of.nullable ? fc.option(VALUES[of.kind]) : VALUES[of.kind]] as const;
  });
  return fc.record(Object.fromEntries(arbitraries));
}

interface Source extends SinkRecord<ClickHouseValue> {
  readonly objects: () => number;
}

async function reading(version: Version) {
  const decoder = createDecoder<ClickHouseValue>(avroType(version.type), async () => version.schema);
  await decoder.load([Buffer.from([0, 0, 0, 0, 7])]);
  return (bytes: Buffer, key: Buffer | null): Source => {
    let objects = 0;
    const writer = decoder.writerOf(bytes);
    return {
      topic: topics.events(version.type),
      key: key?.toString() ?? null,
      get value() {
        objects += 1;
        return decoder.decode(bytes);
      },
      timestamp: 0,
      attempts: 0,
      encoded: writer && { bytes, start: VALUE_START, key, writer },
      objects: () => objects,
    };
  };
}

const framed = (value: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, 0, 7]), value]);

/** Instead of a row: it has a value that its column cannot hold, so its batch goes as lines, and the server says which row it is. */
const NOT_BINARY = 'not binary';

/** The row by either path, or why there is none. Pairs are sorted: their order says nothing, and objects have one of their own. */
function rowsOf(record: Source): { readonly bytes: unknown; readonly objects: unknown } {
  const writer = writerOf(record.topic);
  const out = new RowBuffer();
  const sorted = (cells: readonly unknown[], pairsOf: (cell: unknown) => unknown) =>
    cells.map((cell, n) => (EVENT_COLUMNS[n]?.kind === 'pairs' ? byName(pairsOf(cell)) : cell));
  const bytes = attempt(() => {
    writer.binary?.add(record, () => out);
    if (!out.complete) return NOT_BINARY;
    return sorted(readRow(Buffer.concat(out.finish().chunks)), (cell) => cell);
  });
  const objects = attempt(() =>
    sorted(JSON.parse(writer.encode(record)?.line ?? '') as unknown[], (cell) =>
      Object.entries(cell as object),
    ),
  );
  return { bytes, objects };
}

const byName = (pairs: unknown) =>
  (pairs as [string, string][]).toSorted(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0));

function attempt(row: () => unknown): unknown {
  try {
    return row();
  } catch (error) {
    if (error instanceof CodecError) return error.code;
    throw error;
  }
}

/** Avro's reader does not check that an int has 32 bits. */
const hasLargeInt = (cells: unknown) =>
  EVENT_COLUMNS.some(({ kind, nullable }, n) => {
    const cell = (cells as unknown[])[n];
    return kind === 'int' && !(nullable && cell === null) && cell !== ((cell as number) | 0);
  });

describe.each(VERSIONS)('$name', (version) => {
  test('any event gives the row that its object gives, and no object is made', async () => {
    const read = await reading(version);
    const type = typeForSchema(version.schema);
    fc.assert(
      fc.property(eventsOf(version), keyOfRecord, (event, key) => {
        const record = read(framed(type.toBuffer(event)), key === null ? null : Buffer.from(key));
        const out = new RowBuffer();
        expect(writerOf(record.topic).binary?.add(record, () => out)).toBe(true);
        const plain = Object.values(event).every(
          (value) => typeof value !== 'number' || Math.abs(value) <= 2 ** 52 - 1,
        );
        if (plain && (key !== null || event.recipient === '')) expect(record.objects()).toBe(0);
        const { bytes, objects } = rowsOf(record);
        expect(bytes).toEqual(objects);
      }),
      { numRuns: 30 },
    );
  });

  test('damaged bytes give what their object gives: the same row, or none', async () => {
    const read = await reading(version);
    const type = typeForSchema(version.schema);
    const damage = fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }), cut: fc.boolean() });
    fc.assert(
      fc.property(eventsOf(version), damage, (event, { at, byte, cut }) => {
        const value = type.toBuffer(event);
        const place = at % value.length;
        const damaged = cut ? value.subarray(0, place) : Buffer.from(value);
        if (!cut) damaged[place] = byte;
        const { bytes, objects } = rowsOf(read(framed(damaged), Buffer.from('key')));
        if (bytes === NOT_BINARY) expect(objects).toSatisfy(hasLargeInt);
        else expect(bytes).toEqual(objects);
      }),
      { numRuns: 40 },
    );
  });
});

test('text that is not UTF-8 is repaired, as reading an object does', async () => {
  const version = { type: 'queued', name: '', schema: schemas.queued as object } as const;
  const event = fc.sample(eventsOf(version), 1)[0] ?? {};
  const type = typeForSchema(version.schema);
  const value = type.toBuffer({ ...event, subject: 'marker-of-this-test' });
  value[value.indexOf('marker')] = 0xff;
  expect(isUtf8(value.subarray(value.indexOf('arker') - 1))).toBe(false);
  const { bytes, objects } = rowsOf((await reading(version))(framed(value), Buffer.from('key')));
  expect(bytes).toEqual(objects);
  expect((bytes as unknown[])[EVENT_COLUMNS.findIndex(({ name }) => name === 'subject')]).toBe(
    '\ufffdarker-of-this-test',
  );
});

test('a writer with a field that is not known here, or in another order, or of a type that has to be converted', async () => {
  const today = schemas.clicked as unknown as { fields: { name: string; type: unknown }[] };
  const turned = { ...today, fields: [...today.fields].reverse() };
  const more = {
    ...today,
    fields: [{ name: 'later', type: ['null', 'string'], default: null }, ...today.fields],
  };
  const narrow = {
    ...today,
    fields: today.fields.map((field) => (field.name === 'raw_offset' ? { ...field, type: 'int' } : field)),
  };
  for (const [schema, translated] of [
    [turned, true],
    [more, true],
    [narrow, false],
  ] as const) {
    const version = { type: 'clicked', name: '', schema } as const;
    const read = await reading(version);
    const type = typeForSchema(schema);
    fc.assert(
      fc.property(eventsOf(version), (event) => {
        const record = read(
          framed(type.toBuffer({ ...event, raw_offset: 5, occurred_at: 1, received_at: 2 })),
          Buffer.from('key'),
        );
        writerOf(record.topic).binary?.add(record, () => new RowBuffer());
        expect(record.objects()).toBe(translated ? 0 : 1);
        const { bytes, objects } = rowsOf(record);
        expect(bytes).toEqual(objects);
      }),
      { numRuns: 30 },
    );
  }
});

test('of two entries of one name the last one counts', async () => {
  const version = { type: 'queued', name: '', schema: schemas.queued as object } as const;
  const type = typeForSchema(version.schema);
  const event = {
    ...fc.sample(eventsOf(version), 1)[0],
    metadata: { first: '1', secon: '2', 'a third': '3' },
  };
  const value = type.toBuffer(event);
  value.write('first', value.indexOf('secon'));
  const { bytes, objects } = rowsOf((await reading(version))(framed(value), Buffer.from('key')));
  expect(bytes).toEqual(objects);
  expect((bytes as unknown[])[EVENT_COLUMNS.findIndex(({ name }) => name === 'metadata')]).toEqual([
    ['a third', '3'],
    ['first', '2'],
  ]);
});

test('every column is of one kind in all types', () => {
  for (const type of EVENT_TYPES)
    for (const field of fieldsOf(type)) {
      const column = EVENT_COLUMNS.find(({ name }) => name === field.name);
      expect(column?.kind, `${type}.${field.name}`).toBe(kindOf(field.type)?.kind);
    }
});
