import { subjects } from '../src/topics.ts';
import { type Composed, commonFieldNames, type Field } from './compose.ts';

const INTRO = `<!-- Generated from schemas/avro by \`npm run gen\`. Do not edit. -->
# Event reference

Every field of every topic that has a schema. \`?\` marks a field that may be null. A list of values in the
description is what this version writes: a reader must expect further ones. Times are milliseconds since 1970, UTC.
`;

/** EVENTS.md: what a consumer of the topics, or an analyst, finds in them. */
export function referenceOf(all: Composed[]): string {
  const common = commonFieldNames();
  const byKey = new Map(all.map(({ key, schema }) => [key, schema]));
  const sections = subjects.map(({ topic, schema: key }) => {
    const schema = byKey.get(key);
    if (!schema) throw new Error(`no schema ${key}`);
    const title = `## ${topic}\n\n\`${schema.name}\`: ${schema.doc}\n`;
    if (!topic.startsWith('email.events.')) return title + recordTables(schema.fields, schema.name);
    const own = schema.fields.filter(({ name }) => !common.includes(name));
    if (own.length === 0) return `${title}\nThe common fields only.\n`;
    return `${title}\nThe common fields, and:\n${table(own)}`;
  });
  const first = all[0];
  if (!first) throw new Error('no schemas');
  const shared = first.schema.fields.filter(({ name }) => common.includes(name));
  return `${INTRO}\n## Common fields of all events\n${table(shared)}\n${sections.join('\n')}`;
}

/** A record's table, then those of the records inside it. */
function recordTables(fields: Field[], name: string): string {
  const inner = fields.flatMap(({ type }) => recordsIn(type));
  const tables = inner.map((record) => `\n\`${record.name}\`:\n${recordTables(record.fields, record.name)}`);
  return (name === 'EmailEvent' ? EMAIL_EVENT : table(fields)) + tables.join('');
}

const EMAIL_EVENT = '\n`type` and the fields of all event types; those of other types are null.\n';

type RecordSchema = { name: string; fields: Field[] };

function recordsIn(type: unknown): RecordSchema[] {
  if (Array.isArray(type)) return type.flatMap(recordsIn);
  if (typeof type !== 'object' || type === null) return [];
  const schema = type as { type: unknown; items?: unknown; values?: unknown };
  if (schema.type === 'record') return [schema as unknown as RecordSchema];
  return recordsIn(schema.items ?? schema.values);
}

function table(fields: Field[]): string {
  const rows = fields.map(({ name, type, doc, values }) => {
    const listed = values ? ` One of ${values.map((value) => `\`${value}\``).join(', ')}.` : '';
    return `| \`${name}\` | ${typeName(type)} | ${(doc ?? '').replaceAll('|', '\\|')}${listed} |\n`;
  });
  return `\n| field | type | meaning |\n|---|---|---|\n${rows.join('')}`;
}

function typeName(type: unknown): string {
  if (typeof type === 'string') return type;
  if (Array.isArray(type)) return `${typeName(type.find((branch) => branch !== 'null'))}?`;
  const schema = type as {
    type: unknown;
    name?: string;
    logicalType?: string;
    items?: unknown;
    values?: unknown;
  };
  if (schema.logicalType) return schema.logicalType;
  if (schema.type === 'array') return `list of ${typeName(schema.items)}`;
  if (schema.type === 'map') return `map of ${typeName(schema.values)}`;
  return schema.name ?? typeName(schema.type);
}
