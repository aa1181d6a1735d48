import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { packFiles } from './container-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'container-files-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const files = [
  { path: 'pipeline.yaml', content: 'kafka: {}\n' },
  { path: 'secrets/0', content: 'x'.repeat(512) },
  { path: 'secrets/1', content: 'Größe' },
  { path: 'empty', content: '' },
];

test('tar unpacks what was packed', () => {
  execFileSync('tar', ['-xf', '-', '-C', folder], { input: packFiles(files, 1000, 0) });
  for (const { path, content } of files) expect(readFileSync(join(folder, path), 'utf8')).toBe(content);
});

test('owner and mode: nobody else can read them', () => {
  const listed = execFileSync('tar', ['--numeric-owner', '-tvf', '-'], { input: packFiles(files, 12345, 0) });
  const lines = listed.toString().trim().split('\n');
  expect(lines).toHaveLength(files.length);
  for (const line of lines) expect(line).toMatch(/^-r-------- +(12345\/0|\d+ 12345 +0) /);
});

test('a name that does not fit is refused, not cut', () => {
  expect(() => packFiles([{ path: `${'a'.repeat(101)}`, content: '' }], 0, 0)).toThrow(RangeError);
});
