import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/** A path in turbo.json that leads nowhere is silent: the cache then misses what it should watch. */
const root = fileURLToPath(new URL('../../', import.meta.url));
const { tasks, globalDependencies } = readJson('turbo.json') as {
  tasks: { readonly [name: string]: { readonly inputs?: string[]; readonly outputs?: string[] } };
  globalDependencies: string[];
};
const packages = globSync(
  (readJson('package.json').workspaces as string[]).map((folder) => `${folder}/package.json`),
  { cwd: root },
).map((path) => ({ folder: dirname(path), scripts: Object(readJson(path).scripts) as object }));

test.for(globalDependencies)('%s exists', (path) => {
  expect(globSync(path, { cwd: root })).not.toEqual([]);
});

test.for(Object.entries(tasks))('%s names what exists, in every package that has it', ([name, task]) => {
  const those = packages.filter(({ scripts }) => Object.hasOwn(scripts, name));
  expect(those).not.toEqual([]);
  for (const path of [...(task.inputs ?? []), ...(task.outputs ?? [])])
    for (const { folder } of those) expect.soft(matches(folder, path), `${folder}: ${path}`).toBe(true);
});

function matches(folder: string, path: string): boolean {
  const atRoot = path.startsWith('$TURBO_ROOT$/');
  const cwd = atRoot ? root : join(root, folder);
  const found = globSync(atRoot ? path.slice('$TURBO_ROOT$/'.length) : path, {
    cwd,
    exclude: (name) => name === 'node_modules',
  });
  return found.length > 0;
}

function readJson(path: string): { [key: string]: unknown } {
  return JSON.parse(readFileSync(join(root, path), 'utf8'));
}
