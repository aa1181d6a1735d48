import { mkdirSync, writeFileSync } from 'node:fs';
import { type Composed, composeSchemas } from './compose.ts';
import { typesOf } from './types.ts';

// Writes src/generated: the schemas as data and their TypeScript types. Run by `npm run gen`.
const out = new URL('../src/generated/', import.meta.url);
const header = '// Generated from schemas/avro by `npm run gen`. Do not edit.\n\n';

const composed = composeSchemas();
mkdirSync(out, { recursive: true });
writeFileSync(new URL('schemas.gen.ts', out), header + schemasFile(composed));
writeFileSync(new URL('types.gen.ts', out), header + typesOf(composed));

function schemasFile(all: Composed[]): string {
  return `export const schemas = ${JSON.stringify(
    Object.fromEntries(all.map(({ key, schema }) => [key, schema])),
    null,
    2,
  )} as const;\n`;
}
