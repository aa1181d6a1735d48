import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

// The grants of TRUST.md are what the statements need, so these are looked for in the code that makes them.

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const VERBS =
  /\b(INSERT INTO FUNCTION|INSERT INTO|SELECT|DESCRIBE TABLE|ALTER|CREATE|DROP|TRUNCATE|DELETE|OPTIMIZE|SYSTEM|KILL|GRANT)\b/g;

/** Of the files in a folder, or of one file. */
function statementsIn(path: string, ...without: string[]): string[] {
  const names = path.endsWith('.ts')
    ? ['']
    : readdirSync(join(root, path), { recursive: true, encoding: 'utf8' }).filter(
        (file) => file.endsWith('.ts') && !/\.test\.ts$|^testing\//.test(file) && !without.includes(file),
      );
  const code = names.map((name) => readFileSync(join(root, path, name), 'utf8')).join('\n');
  // Statements in comments need no grant.
  const bare = code.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  return [...new Set([...bare.matchAll(VERBS)].map(([verb]) => verb))].sort();
}

test('the sink inserts and selects; a temporary table is what a table function needs', () => {
  const others = ['migrate.ts', 'additive.ts', 'fill.ts', 'tables.ts', 'erase.ts', 'keep.ts'];
  expect(statementsIn('sinks/clickhouse/src', ...others)).toEqual([
    'DESCRIBE TABLE',
    'INSERT INTO',
    'INSERT INTO FUNCTION',
    'SELECT',
  ]);
});

test.each(['deploy/cli/src/backfill', 'deploy/cli/src/suppressions', 'deploy/cli/src/marks.ts'])(
  '%s only selects',
  (folder) => {
    expect(statementsIn(folder)).toEqual(['SELECT']);
  },
);

test('who erases selects and deletes', () => {
  expect(statementsIn('sinks/clickhouse/src/erase.ts')).toEqual(['ALTER', 'DELETE', 'SELECT']);
});

test('TRUST.md says so', () => {
  const page = readFileSync(join(root, 'deploy/TRUST.md'), 'utf8');
  expect(page).toContain("| sink | `INSERT` and `SELECT` on the database's tables");
  expect(page).toContain('`CREATE TEMPORARY TABLE`, without which');
  expect(page).toContain(
    '| operator | `SELECT` on `email_events`, and on `system.tables` for how long rows are kept |',
  );
  expect(page).toContain('| eraser | `SELECT` and `ALTER DELETE` on the database');
});
