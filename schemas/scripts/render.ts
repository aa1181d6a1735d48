import { aroundCommon, type Composed, commonFields, composeSchemas, type Field } from './compose.ts';
import { referenceOf } from './reference.ts';
import { typesOf } from './types.ts';

const header = '// Generated from schemas/avro by `npm run gen`. Do not edit.\n\n';

/** Generated files by their path in this package. */
export function generatedFiles(): Map<string, string> {
  const composed = composeSchemas();
  return new Map([
    ['src/generated/schemas.gen.ts', header + schemasFile(composed)],
    ['src/generated/types.gen.ts', header + typesOf(composed)],
    ['EVENTS.md', referenceOf(composed)],
  ]);
}

function schemasFile(all: Composed[]): string {
  const schemas = Object.fromEntries(all.map(({ key, schema }) => [key, schema]));
  return [
    '/** The fields that every event type has. */',
    `const COMMON = ${listed(commonFields(), '')} as const;`,
    '',
    `export const schemas = ${literal(schemas, '')} as const;`,
    '',
  ].join('\n');
}

/** A schema as TypeScript: each field on one line, unless it holds a record, and the common ones by their name. */
function literal(value: unknown, indent: string): string {
  if (!holdsRecord(value)) return JSON.stringify(value, null, 1).replace(/\n */g, ' ');
  if (Array.isArray(value)) return listed(value, indent);
  const entries = Object.entries(value).map(([key, child]) => {
    const text =
      key === 'fields' ? fieldsText(child as Field[], `${indent}  `) : literal(child, `${indent}  `);
    return `${indent}  ${JSON.stringify(key)}: ${text},\n`;
  });
  return `{\n${entries.join('')}${indent}}`;
}

function fieldsText(fields: Field[], indent: string): string {
  const own = aroundCommon(fields);
  return listed(own ? [...own.before, COMMON, ...own.after] : fields, indent);
}

/** Stands for all of the common fields. */
const COMMON = Symbol('common');

function listed(fields: readonly (Field | typeof COMMON)[], indent: string): string {
  const lines = fields.map((field) => (field === COMMON ? '...COMMON' : literal(field, `${indent}  `)));
  return `[\n${lines.map((line) => `${indent}  ${line},\n`).join('')}${indent}]`;
}

function holdsRecord(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  return 'fields' in value || Object.values(value).some(holdsRecord);
}
