import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { copiedNames, ignorePatterns, SERVICES_DOCKERFILE, servicesFiles } from './services-files.ts';

const root = mkdtempSync(join(tmpdir(), 'services-files-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function write(name: string, text = ''): void {
  mkdirSync(dirname(join(root, name)), { recursive: true });
  writeFileSync(join(root, name), text);
}

test('what is copied, without other stages and options', () => {
  const text =
    'FROM a\nCOPY one two \\\n  three/\nCOPY --from=a /x y\nCOPY --chown=1 four .\nCOPY ca.pem* /c/\n# COPY no .';
  expect(copiedNames(text)).toEqual(['one', 'two', 'four']);
});

test('folders with all that is in them, but for what is ignored', () => {
  write(SERVICES_DOCKERFILE, 'COPY package.json ./\nCOPY core/src core/src\n');
  write('.dockerignore', '# a comment\n\n**/*.test.ts\n**/*.md\ncore/src/**/testing\n');
  write('package.json');
  for (const name of ['a.ts', 'a.test.ts', 'README.md', 'deep/b.ts', 'deep/testing/c.ts', 'testing/d.ts'])
    write(`core/src/${name}`);
  write('core/secret.txt');
  expect(servicesFiles(root)).toEqual([
    'core/src/a.ts',
    'core/src/deep/b.ts',
    SERVICES_DOCKERFILE,
    'package.json',
  ]);
});

test('an exception, which is not understood, is not overlooked', () => {
  expect(() => ignorePatterns('**\n!core')).toThrow('!core');
});

test('the image has the services, and no test, fixture or dependency of this checkout', () => {
  const names = servicesFiles(fileURLToPath(new URL('../../../../../', import.meta.url)));
  expect(names).toContain('ingress/src/main.ts');
  expect(names).toContain('sinks/clickhouse/migrations/0001_email_events.sql');
  expect(names).toContain('deploy/images/email-events/email-events');
  const unwanted = /\.test\.ts$|\.fixture\.ts$|node_modules|^test\/.*\/|\.pem$|\.md$|\.email-events|\.git\//;
  expect(names.filter((name) => unwanted.test(name))).toEqual([]);
});
