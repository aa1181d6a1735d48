import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { STACK_ERROR_CODES } from './errors.ts';

const folder = new URL('./', import.meta.url);
const codes = Object.keys(STACK_ERROR_CODES);

test('the README lists every code with its meaning, and no other', () => {
  const readme = readFileSync(new URL('README.md', folder), 'utf8');
  const rows = [...readme.matchAll(/^\| `(STACK_\w+)` \| (.*) \|$/gm)].map(([, code, meaning]) => [
    code,
    meaning,
  ]);
  expect(rows).toEqual(Object.entries(STACK_ERROR_CODES));
});

test('every code is given somewhere', () => {
  const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts') && path !== 'errors.ts')
    .map((path) => readFileSync(new URL(path, folder), 'utf8'))
    .join('\n');
  expect(codes.filter((code) => !sources.includes(`'${code}'`))).toEqual([]);
});
