import { writeFileSync } from 'node:fs';
import { modelPage } from './model-page.ts';

// Writes METRICS.md from the tables in src/model. Run by `npm run gen`.
writeFileSync(new URL('../METRICS.md', import.meta.url), modelPage());
