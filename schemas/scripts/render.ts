import { type Composed, composeSchemas } from './compose.ts';
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
  return `export const schemas = ${JSON.stringify(schemas, null, 2)} as const;\n`;
}
