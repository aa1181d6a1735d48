import { readFileSync, writeFileSync } from 'node:fs';
import { espTable, fillsTable, replaceSection } from './esp-table.ts';

// Writes the tables of ESPs into the project's README and into that of this package, between their markers. Run by `npm run gen`.
write('../../../README.md', 'esps', espTable());
write('../README.md', 'fills', fillsTable());

function write(path: string, section: string, table: string): void {
  const readme = new URL(path, import.meta.url);
  writeFileSync(readme, replaceSection(section, readFileSync(readme, 'utf8'), table));
}
