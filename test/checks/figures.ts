import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, typescriptFiles, workspaces } from './workspaces.ts';

/** Prints how large each package is: `node test/checks/figures.ts`. Generated files count, since they are read as well. */
const rows = workspaces().map(({ folder }) => ({ folder, sizes: typescriptFiles(folder).map(linesOf) }));
for (const { folder, sizes } of [...rows, { folder: 'all', sizes: rows.flatMap(({ sizes }) => sizes) }]) {
  const lines = sizes.reduce((sum, size) => sum + size, 0);
  const median = sizes.sort((a, b) => a - b)[Math.floor(sizes.length / 2)] ?? 0;
  process.stdout.write(`${folder.padEnd(18)} ${sizes.length} files, ${lines} lines, median ${median}\n`);
}

function linesOf(file: string): number {
  return readFileSync(join(ROOT, file), 'utf8').split('\n').length - 1;
}
