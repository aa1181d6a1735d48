import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { mountFolder, userOfContainers } from './container-folders.ts';

const folder = mkdtempSync(join(tmpdir(), 'container-folders-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const isRoot = process.getuid?.() === 0;

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

/** A file that no container may have, in a folder of its own. */
function outsideOf(name: string) {
  const outside = join(folder, `outside ${name}`);
  mkdirSync(outside);
  const file = join(outside, 'shadow');
  writeFileSync(file, '');
  return { outside, file };
}

test.runIf(isRoot)('a link is given, not what it leads to', async () => {
  const { outside, file } = outsideOf('links');
  const source = join(folder, 'links');
  mkdirSync(source);
  const links = [join(source, 'to-file'), join(source, 'to-folder')] as const;
  symlinkSync(file, links[0]);
  symlinkSync(outside, links[1]);
  const user = userOfContainers();
  await mountFolder({ local: true }, user, { source, target: '/t' });
  expect([outside, file].map((path) => statSync(path).uid)).toEqual([0, 0]);
  expect(links.map((link) => lstatSync(link).uid)).toEqual([user.uid, user.uid]);
});

test('a link to nothing does not keep the rest from being given', async () => {
  const source = join(folder, 'dangling');
  mkdirSync(source);
  symlinkSync(join(folder, 'missing'), join(source, 'a-link'));
  writeFileSync(join(source, 'b-file'), '');
  const user = userOfContainers();
  await mountFolder({ local: true }, user, { source, target: '/t' });
  expect(statSync(join(source, 'b-file')).uid).toBe(user.uid);
});

test.runIf(isRoot)('a folder that is a link itself is not followed either', async () => {
  const { outside, file } = outsideOf('folder');
  const source = join(folder, 'linked');
  symlinkSync(outside, source);
  await mountFolder({ local: true }, userOfContainers(), { source, target: '/t' });
  expect([outside, file].map((path) => statSync(path).uid)).toEqual([0, 0]);
});

test('an engine elsewhere sees no folder of this machine', async () => {
  const source = join(folder, 'elsewhere');
  expect(await mountFolder({ local: false }, userOfContainers(), { source, target: '/t' })).toEqual([]);
  expect(existsSync(source)).toBe(false);
});
