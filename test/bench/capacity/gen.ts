import { writeFileSync } from 'node:fs';
import { readMeasured } from './measured.ts';
import { capacityPage } from './page.ts';
import { parametersOf } from './parameters.ts';

writeFileSync(
  new URL('../../../deploy/CAPACITY.md', import.meta.url),
  capacityPage(readMeasured(), parametersOf()),
);
