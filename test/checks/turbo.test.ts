import { globSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT, readJson, workspaces } from './workspaces.ts';

/** A path in turbo.json that leads nowhere is silent: the cache then misses what it should watch. */
const { tasks, globalDependencies } = readJson('turbo.json') as {
  tasks: { readonly [name: string]: { readonly inputs?: string[]; readonly outputs?: string[] } };
  globalDependencies: string[];
};
const packages = workspaces();

test.for(globalDependencies)('%s exists', (path) => {
  expect(globSync(path, { cwd: ROOT })).not.toEqual([]);
});

test.for(Object.entries(tasks))('%s names what exists, in every package that has it', ([name, task]) => {
  const those = packages.filter(({ scripts }) => scripts.includes(name));
  expect(those).not.toEqual([]);
  for (const path of [...(task.inputs ?? []), ...(task.outputs ?? [])])
    for (const { folder } of those) expect.soft(matches(folder, path), `${folder}: ${path}`).toBe(true);
});

function matches(folder: string, path: string): boolean {
  const atRoot = path.startsWith('$TURBO_ROOT$/');
  const cwd = atRoot ? ROOT : join(ROOT, folder);
  const found = globSync(atRoot ? path.slice('$TURBO_ROOT$/'.length) : path, {
    cwd,
    exclude: (name) => name === 'node_modules',
  });
  return found.length > 0;
}
