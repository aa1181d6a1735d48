import type { Composed } from './compose.ts';

type Schema = string | Schema[] | { type: Schema; [attribute: string]: unknown };
type Field = { name: string; type: Schema; doc?: string; values?: string[] };

const primitives: { [avro: string]: string } = {
  string: 'string',
  boolean: 'boolean',
  int: 'number',
  long: 'number',
  bytes: 'Buffer',
  null: 'null',
};

/** TypeScript interfaces of all records, each once. Long is a number: all ours stay below 2^53. */
export function typesOf(all: Composed[]): string {
  const written = new Map<string, string>();
  for (const { schema } of all) tsType(schema as Schema, written);
  return [...written.values()].join('\n');
}

function tsType(schema: Schema, written: Map<string, string>, values?: string[]): string {
  if (Array.isArray(schema)) return schema.map((branch) => tsType(branch, written, values)).join(' | ');
  if (typeof schema === 'string') {
    if (schema === 'string' && values) return values.map((value) => `'${value}'`).join(' | ');
    return primitives[schema] ?? schema;
  }
  switch (schema.type) {
    case 'record':
      writeInterface(schema as never, written);
      return schema.name as string;
    case 'array': {
      const items = tsType(schema.items as Schema, written);
      return `${items.includes(' ') ? `(${items})` : items}[]`;
    }
    case 'map':
      return `{ [key: string]: ${tsType(schema.values as Schema, written)} }`;
    default:
      return tsType(schema.type, written, values);
  }
}

function writeInterface(
  record: { name: string; doc?: string; fields: Field[] },
  written: Map<string, string>,
): void {
  const lines = record.fields.map(({ name, type, doc, values }) => {
    const comment = doc ? `  /** ${doc} */\n` : '';
    return `${comment}  ${name}: ${tsType(type, written, values)};`;
  });
  const doc = record.doc ? `/** ${record.doc} */\n` : '';
  written.set(record.name, `${doc}export interface ${record.name} {\n${lines.join('\n')}\n}\n`);
}
