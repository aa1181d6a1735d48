import { readFileSync, writeFileSync } from 'node:fs';
import { replaceSection, settingsTable, statesTable } from './crm-table.ts';

// Writes the tables of CRMs into this package's README, between their markers. Run by `npm run gen`.
const readme = new URL('../README.md', import.meta.url);
const before = readFileSync(readme, 'utf8');
const withSettings = replaceSection('settings', before, settingsTable());
writeFileSync(readme, replaceSection('states', withSettings, statesTable()));
