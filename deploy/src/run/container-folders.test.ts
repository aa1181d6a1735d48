import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { mountFolder, userOfContainers } from './container-folders.ts';

const folder = mkdtempSync(join(tmpdir(), 'container-folders-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('root is nobody in a container; others are themselves, in the group of unknown users', () => {
  expect(userOfContainers(0)).toEqual({ uid: 1000, gid: 1000 });
  expect(userOfContainers(501)).toEqual({ uid: 501, gid: 0 });
});

test('the folder is made, and all that is in it belongs to the user of the containers', async () => {
  const source = join(folder, 'data', 'state');
  mkdirSync(join(source, 'deep'), { recursive: true });
  writeFileSync(join(source, 'deep', 'file'), '');
  const user = userOfContainers();
  expect(await mountFolder({ local: true }, user, { source, target: '/t' })).toEqual([
    { source, target: '/t' },
  ]);
  for (const path of [source, join(source, 'deep'), join(source, 'deep', 'file')]) {
    expect(statSync(path).uid).toBe(user.uid);
  }
});

test('an engine elsewhere sees no folder of this machine', async () => {
  const source = join(folder, 'elsewhere');
  expect(await mountFolder({ local: false }, userOfContainers(), { source, target: '/t' })).toEqual([]);
  expect(existsSync(source)).toBe(false);
});
