import { readFileSync, writeFileSync } from 'node:fs';
import { espNames, espTable, fillsTable, replaceSection } from './esp-table.ts';

// Writes the ESPs' names into the project's README and their tables into that of this package, between the markers. Run by `npm run gen`.
write('../../../README.md', 'esps', espNames());
write('../README.md', 'esps', espTable());
write('../README.md', 'fills', fillsTable());

function write(path: string, section: string, content: string): void {
  const readme = new URL(path, import.meta.url);
  writeFileSync(readme, replaceSection(section, readFileSync(readme, 'utf8'), content));
}
