import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import {
  copiedNames,
  ignorePatterns,
  SERVICES_DOCKERFILE,
  type ServicesTarget,
  servicesFiles,
} from './services-files.ts';

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
  write(
    SERVICES_DOCKERFILE,
    'FROM a AS services\nCOPY package.json ./\nCOPY core/src core/src\nFROM services AS receiver\nCOPY core/secret.txt ./\n',
  );
  write('.dockerignore', '# a comment\n\n**/*.test.ts\n**/*.md\ncore/src/**/testing\n');
  write('package.json');
  for (const name of ['a.ts', 'a.test.ts', 'README.md', 'deep/b.ts', 'deep/testing/c.ts', 'testing/d.ts'])
    write(`core/src/${name}`);
  write('core/secret.txt');
  const files = ['core/src/a.ts', 'core/src/deep/b.ts', SERVICES_DOCKERFILE, 'package.json'];
  expect(servicesFiles(root, 'services')).toEqual(files);
  expect(servicesFiles(root, 'receiver')).toEqual(['core/secret.txt', ...files]);
});

test('a target that is not there is not taken for all', () => {
  write(SERVICES_DOCKERFILE, 'FROM a AS other\nCOPY package.json ./\n');
  expect(() => servicesFiles(root, 'services')).toThrow('no target services');
});

test('an exception, which is not understood, is not overlooked', () => {
  expect(() => ignorePatterns('**\n!core')).toThrow('!core');
});

const CHECKOUT = fileURLToPath(new URL('../../../../../../', import.meta.url));

test('the image has the services, and no test, fixture or dependency of this checkout', () => {
  const names = servicesFiles(CHECKOUT, 'services');
  expect(names).toContain('ingress/src/main.ts');
  expect(names).toContain('sinks/clickhouse/migrations/0001_email_events.sql');
  expect(names).toContain('deploy/images/email-events/email-events');
  const unwanted = /\.test\.ts$|\.fixture\.ts$|node_modules|^test\/.*\/|\.pem$|\.md$|\.email-events|\.git\//;
  expect(names.filter((name) => unwanted.test(name))).toEqual([]);
});

test('nothing of contributors is in the image but their manifest, which npm wants; the receiver is in its own', () => {
  const ofDev = (target: ServicesTarget) =>
    servicesFiles(CHECKOUT, target).filter((name) => name.startsWith('deploy/dev/'));
  expect(ofDev('services')).toEqual(['deploy/dev/package.json']);
  const [manifest, ...others] = ofDev('receiver');
  expect([manifest, others.every((name) => name.startsWith('deploy/dev/src/receiver/'))]).toEqual([
    'deploy/dev/package.json',
    true,
  ]);
  expect(others).toContain('deploy/dev/src/receiver/main.ts');
});
