import { mkdirSync, writeFileSync } from 'node:fs';
import { generatedFiles } from './render.ts';

// Writes everything that is made out of schemas/avro. Run by `npm run gen`.
for (const [path, text] of generatedFiles()) {
  const file = new URL(`../${path}`, import.meta.url);
  mkdirSync(new URL('.', file), { recursive: true });
  writeFileSync(file, text);
}
