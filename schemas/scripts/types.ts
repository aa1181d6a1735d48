import { aroundCommon, type Composed, commonFields, type Field } from './compose.ts';

type Schema = string | Schema[] | { type: Schema; [attribute: string]: unknown };

const primitives: { [avro: string]: string } = {
  string: 'string',
  boolean: 'boolean',
  int: 'number',
  long: 'number',
  double: 'number',
  bytes: 'Buffer',
  null: 'null',
};

const COMMON = 'CommonFields';

/** TypeScript interfaces of all records, each once. Long is a number: all ours stay below 2^53. */
export function typesOf(all: Composed[]): string {
  const written = new Map<string, string>();
  const doc = 'The fields that every event type has.';
  writeInterface({ name: COMMON, doc, fields: commonFields() }, written);
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
  { name, doc, fields }: { name: string; doc?: string; fields: readonly Field[] },
  written: Map<string, string>,
): void {
  const extending = name === COMMON ? undefined : aroundCommon(fields);
  const own = extending ? [...extending.before, ...extending.after] : fields;
  const lines = own.map((field) => {
    const comment = field.doc ? `  /** ${field.doc} */\n` : '';
    return `${comment}  ${field.name}: ${tsType(field.type as Schema, written, field.values)};\n`;
  });
  const head = `export interface ${name}${extending ? ` extends ${COMMON}` : ''}`;
  written.set(name, `${doc ? `/** ${doc} */\n` : ''}${head} {\n${lines.join('')}}\n`);
}
