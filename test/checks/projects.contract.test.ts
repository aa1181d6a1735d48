import { execFileSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from './workspaces.ts';

/** A test that no project includes is silent; one that two of them include needs what it should not. */
const VITEST = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');

/** Projects of each file. */
function projects(stack: string, ...args: string[]): Map<string, string[]> {
  const listed = execFileSync(process.execPath, [VITEST, 'list', '--filesOnly', '--json', ...args], {
    cwd: ROOT,
    env: { ...process.env, STACK: stack },
    encoding: 'utf8',
  });
  const found = new Map<string, string[]>();
  for (const { file, projectName } of JSON.parse(listed) as { file: string; projectName: string }[]) {
    const path = relative(ROOT, file);
    found.set(path, [...(found.get(path) ?? []), projectName]);
  }
  return found;
}

const filesNamed = (pattern: string) =>
  globSync(pattern, { cwd: ROOT, exclude: (name) => name === 'node_modules' || name === '.email-events' });

/** CRMs that take long to install. */
const needServers = (path: string) => path.endsWith('.server.test.ts');
const needContainers = (path: string) => path.endsWith('.containers.test.ts');

test('every test file is in one project, and those that need components in the one that has them', () => {
  const found = projects('containers');
  for (const path of filesNamed('**/*.test.ts').filter((name) => !needServers(name))) {
    const at = found.get(path) ?? [];
    expect.soft(at, path).toHaveLength(1);
    if (path.endsWith('.stack.test.ts')) expect.soft(at, path).toEqual(['stack']);
    // The long ones are a lane of their own.
    const ownStack = path.startsWith('test/faults/') ? 'faults' : 'own-stack';
    if (path.endsWith('.own-stack.test.ts')) expect.soft(at, path).toEqual([ownStack]);
    if (needContainers(path)) expect.soft(at, path).toEqual(['containers']);
  }
});

test('containers are needed by a run on them, and by one that names the project', () => {
  const all = filesNamed('**/*.containers.test.ts').sort();
  expect(all).not.toEqual([]);
  const of = (...args: Parameters<typeof projects>) =>
    [...projects(...args).keys()].filter(needContainers).sort();
  expect(of('')).toEqual([]);
  expect(of('external')).toEqual([]);
  expect(of('containers')).toEqual(all);
  for (const named of [['--project', 'containers'], ['--project=containers']])
    expect(of('', ...named)).toEqual(all);
});

test('CRMs that take long to install are needed by a run that names their project, and by no other', () => {
  const all = filesNamed('**/*.server.test.ts').sort();
  expect(all).not.toEqual([]);
  expect([...projects('containers').keys()].filter(needServers)).toEqual([]);
  expect([...projects('', '--project', 'servers')].sort()).toEqual(all.map((path) => [path, ['servers']]));
});
