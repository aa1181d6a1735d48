import { mkdirSync, writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { compareWithVersions, publishedFolder, readPublished } from '../src/published.ts';
import { subjects } from '../src/topics.ts';
import { composeSchemas } from './compose.ts';

// Writes a new published version of every subject whose schema differs from its newest one,
// and refuses one that breaks the evolution rules. Published versions are
// for ever: other programs have data in them. Run by `npm run schemas:freeze` after `npm run gen`.
const composed = new Map(composeSchemas().map(({ key, schema }) => [key, schema]));
const published = readPublished();
for (const { name, schema: key } of subjects) {
  const schema = composed.get(key);
  const versions = published.get(name) ?? [];
  if (isDeepStrictEqual(versions.at(-1), schema)) continue;
  const problems = compareWithVersions(name, schema, versions);
  for (const { version, path, code, explanation, direction } of problems) {
    process.stderr.write(`${name} v${version} ${direction} ${path}: ${code}, ${explanation}\n`);
    process.exitCode = 1;
  }
  if (problems.length > 0) continue;
  const folder = new URL(`${name}/`, publishedFolder);
  mkdirSync(folder, { recursive: true });
  const file = `v${versions.length + 1}.avsc`;
  writeFileSync(new URL(file, folder), `${JSON.stringify(schema, null, 2)}\n`, { flag: 'wx' });
  process.stdout.write(`${name}/${file}\n`);
}
