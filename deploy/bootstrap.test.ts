import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

interface LockFile {
  packages: Record<string, { version?: string; optional?: boolean; bin?: object; link?: boolean }>;
}
const { COMMANDS, missingPackages } = (await import(new URL('./bootstrap.mjs', import.meta.url).href)) as {
  COMMANDS: { readonly [name: string]: readonly string[] | null };
  missingPackages(wanted: LockFile, present: LockFile): string[];
};

const lock: LockFile = {
  packages: {
    '': { version: '0.1.0' },
    deploy: { version: '0.1.0' },
    'node_modules/deploy': { link: true },
    'node_modules/one': { version: '1.0.0' },
    'node_modules/for-another-platform': { version: '2.0.0', optional: true },
  },
};

function installed(change: Partial<Record<string, { version?: string } | null>>): LockFile {
  const { '': _root, 'node_modules/for-another-platform': _platform, ...rest } = lock.packages;
  const packages = Object.entries({ ...rest, ...change }).filter(([, entry]) => entry !== null);
  return { packages: Object.fromEntries(packages) as LockFile['packages'] };
}

test('nothing is missing after an installation, foreign optional packages aside', () => {
  expect(missingPackages(lock, installed({}))).toEqual([]);
});

test.each([
  ['a package that is not there', { 'node_modules/one': null }],
  ['a package in another version', { 'node_modules/one': { version: '1.0.1' } }],
  ['a workspace that is not linked', { 'node_modules/deploy': null }],
  ['an optional package in another version', { 'node_modules/for-another-platform': { version: '1.9.0' } }],
  ['a workspace with another program', { deploy: { version: '0.1.0', bin: { added: 'x' } } }],
])('%s must be installed', (_name, change) => {
  expect(missingPackages(lock, installed(change))).toEqual(Object.keys(change));
});

test('every command runs a file that is there, and npm scripts name commands', () => {
  const root = new URL('../', import.meta.url);
  const files = Object.values(COMMANDS).flatMap((args) => args?.filter((arg) => arg.endsWith('.ts')) ?? []);
  expect(files.filter((file) => !existsSync(new URL(file, root)))).toEqual([]);
  const manifest = readFileSync(fileURLToPath(new URL('package.json', root)), 'utf8');
  const named = [...manifest.matchAll(/node deploy\/bootstrap\.mjs (\w+)/g)].map(([, name = '']) => name);
  expect(named).toContain('containers');
  expect(named.filter((name) => !Object.hasOwn(COMMANDS, name))).toEqual([]);
});
