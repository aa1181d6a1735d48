import { typeForSchema } from './avro-types.ts';

/** One way in which data of one version cannot be read by another. */
export interface Incompatibility {
  /** Where, e.g. events[].occurred_at. */
  readonly path: string;
  readonly code: IncompatibilityCode;
  readonly explanation: string;
}

export const incompatibilityCodes = [
  'SCHEMA_INVALID',
  'NAME_CHANGED',
  'FIELD_WITHOUT_DEFAULT',
  'TYPE_CHANGED',
  'LOGICAL_TYPE_CHANGED',
  'BRANCH_MISSING',
  'SYMBOL_MISSING',
  'RESOLUTION_FAILED',
] as const;

export type IncompatibilityCode = (typeof incompatibilityCodes)[number];

type Json = string | Json[] | { readonly [attribute: string]: unknown };
interface Field {
  readonly name: string;
  readonly type: Json;
  readonly default?: unknown;
}
type Names = Map<string, { readonly [attribute: string]: unknown }>;
interface Side {
  readonly schema: Json;
  /** Records and enums defined so far on this side, since later uses only name them. */
  readonly names: Names;
  /** Of the record around it, which it belongs to unless it says otherwise: registries leave out what can be inherited. */
  readonly namespace?: unknown;
}

/** Why a reader with one schema cannot read what a writer with the other wrote; empty: it can. */
export function incompatibilities(readerSchema: unknown, writerSchema: unknown): Incompatibility[] {
  const found = [...invalid(readerSchema, 'the reader'), ...invalid(writerSchema, 'the writer')];
  if (found.length > 0) return found;
  compare(side(readerSchema), side(writerSchema), '', found);
  if (found.length > 0) return found;
  // The comparison above says where and why; avsc, which reads the data, has the last word.
  try {
    typeForSchema(readerSchema).createResolver(typeForSchema(writerSchema));
  } catch (error) {
    found.push({ path: '', code: 'RESOLUTION_FAILED', explanation: (error as Error).message });
  }
  return found;
}

const side = (schema: unknown): Side => ({ schema: schema as Json, names: new Map() });

function invalid(schema: unknown, which: string): Incompatibility[] {
  try {
    typeForSchema(schema);
    return [];
  } catch (error) {
    return [
      { path: '', code: 'SCHEMA_INVALID', explanation: `${which}'s schema: ${(error as Error).message}` },
    ];
  }
}

/**
 * Stricter than Avro's resolution in three points, because people read the topics too: no promotion between types
 * (int to long cannot be undone, string and bytes mean different things), no other logical type, no other record name.
 */
function compare(reader: Side, writer: Side, path: string, found: Incompatibility[]): void {
  if (Array.isArray(reader.schema) || Array.isArray(writer.schema)) {
    compareUnions(reader, writer, path, found);
    return;
  }
  const [read, write] = [resolved(reader), resolved(writer)];
  const report = (code: IncompatibilityCode, explanation: string) => found.push({ path, code, explanation });
  if (read.type !== write.type) {
    report('TYPE_CHANGED', `${write.type} is read as ${read.type}`);
  } else if (read.logicalType !== write.logicalType) {
    report('LOGICAL_TYPE_CHANGED', `${write.logicalType ?? 'none'} is read as ${read.logicalType ?? 'none'}`);
  } else if (read.name !== write.name || read.namespace !== write.namespace || read.size !== write.size) {
    report('NAME_CHANGED', `${write.name} is read as ${read.name}`);
  } else if (read.type === 'record') {
    compareFields(reader, writer, path, found);
  } else if (read.type === 'array') {
    compare(within(reader, read.items), within(writer, write.items), `${path}[]`, found);
  } else if (read.type === 'map') {
    compare(within(reader, read.values), within(writer, write.values), `${path}{}`, found);
  } else if (read.type === 'enum') {
    const missing = symbols(write).filter((symbol) => !symbols(read).includes(symbol));
    if (missing.length > 0) report('SYMBOL_MISSING', `the reader does not know ${missing.join(', ')}`);
  }
}

function compareFields(reader: Side, writer: Side, path: string, found: Incompatibility[]): void {
  // A field that the other side lacks may define a record that a later one uses by name.
  for (const one of [reader, writer]) {
    for (const field of fieldsOf(one)) learnNames(withinRecord(one, field.type));
  }
  const written = new Map(fieldsOf(writer).map((field) => [field.name, field]));
  for (const field of fieldsOf(reader)) {
    const at = path === '' ? field.name : `${path}.${field.name}`;
    const source = written.get(field.name);
    if (source) {
      compare(withinRecord(reader, field.type), withinRecord(writer, source.type), at, found);
    } else if (!('default' in field)) {
      const explanation = 'the writer does not have this field and the reader has no default for it';
      found.push({ path: at, code: 'FIELD_WITHOUT_DEFAULT', explanation });
    }
  }
}

function compareUnions(reader: Side, writer: Side, path: string, found: Incompatibility[]): void {
  const readable = branches(reader);
  for (const branch of branches(writer)) {
    const match = readable.find((candidate) => sameKind(candidate, branch));
    if (match) compare(match, branch, path, found);
    else {
      const explanation = `the reader has no branch for ${kindOf(branch)}`;
      found.push({ path, code: 'BRANCH_MISSING', explanation });
    }
  }
}

function within(parent: Side, schema: unknown): Side {
  const { names, namespace } = parent;
  return { schema: schema as Json, names, namespace };
}

/** Types within a record belong to its namespace. */
const withinRecord = (record: Side, schema: unknown): Side => ({
  ...within(record, schema),
  namespace: resolved(record).namespace,
});
const branches = (union: Side): Side[] =>
  Array.isArray(union.schema) ? union.schema.map((schema) => within(union, schema)) : [union];
const fieldsOf = (record: Side) => (resolved(record).fields ?? []) as readonly Field[];
const symbols = (schema: { readonly [attribute: string]: unknown }) => schema.symbols as string[];
const sameKind = (one: Side, other: Side) => kindOf(one) === kindOf(other);

function kindOf(of: Side): string {
  const { type, name } = resolved(of);
  return `${type}${name === undefined ? '' : ` ${name}`}`;
}

/** The schema as an object; a name as what it was defined to be. */
function resolved({ schema, names, namespace }: Side): { readonly [attribute: string]: unknown } {
  if (typeof schema === 'string') return names.get(shortName(schema)) ?? { type: schema };
  const definition = schema as { readonly [attribute: string]: unknown };
  if (typeof definition.type === 'object' && definition.type !== null && !Array.isArray(definition.type)) {
    return resolved({ schema: definition.type as Json, names, namespace });
  }
  const { name } = definition;
  if (typeof name !== 'string') return definition;
  const short = shortName(name);
  const own = name === short ? (definition.namespace ?? namespace) : name.slice(0, -short.length - 1);
  const named = { ...definition, name: short, namespace: own };
  names.set(short, named);
  return named;
}

const shortName = (name: string) => name.slice(name.lastIndexOf('.') + 1);

function learnNames(of: Side): void {
  for (const branch of branches(of)) {
    const { type, items, values } = resolved(branch);
    if (type === 'array') learnNames(within(branch, items));
    else if (type === 'map') learnNames(within(branch, values));
    else if (type === 'record' && typeof branch.schema !== 'string') {
      for (const field of fieldsOf(branch)) learnNames(withinRecord(branch, field.type));
    }
  }
}
