import { readFileSync, writeFileSync } from 'node:fs';
import { espTable, replaceSection } from './esp-table.ts';

// Writes the table of ESPs into the project's README, between its markers. Run by `npm run gen`.
const readme = new URL('../../../README.md', import.meta.url);
writeFileSync(readme, replaceSection(readFileSync(readme, 'utf8'), espTable()));
