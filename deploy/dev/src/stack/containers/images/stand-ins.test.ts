import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { fakeEngine } from '../../testing/fake-engine.ts';
import { readVersions } from '../../versions.ts';
import { provideStandIn, referenceOf, STAND_INS, type StandIn } from './stand-ins.ts';

const versions = readVersions();

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'stand-in-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

function standIn(over: Partial<StandIn> = {}): StandIn {
  const folder = over.folder ?? temporary();
  writeFileSync(join(folder, 'Dockerfile'), 'FROM scratch\n');
  return { name: 'thing', version: () => '1.2', inputs: () => ['jar 3'], ...over, folder };
}

const tagOf = (one: StandIn) => referenceOf(one, versions);

test('the tag is the version and a hash, the same for the same image', () => {
  expect(tagOf(standIn())).toMatch(/^email-events\/thing:1\.2-[0-9a-f]{12}$/);
  expect(tagOf(standIn())).toBe(tagOf(standIn()));
});

test('the tag changes with everything that goes into the image', () => {
  const changed = standIn();
  writeFileSync(join(changed.folder, 'Dockerfile'), 'FROM scratch\nUSER 1\n');
  const more = standIn();
  writeFileSync(join(more.folder, 'entry.sh'), '');
  const tags = [
    standIn(),
    changed,
    more,
    standIn({ inputs: () => ['jar 4'] }),
    standIn({ inputs: () => ['jar', ' 3'] }),
    standIn({ parent: standIn() }),
    standIn({ parent: changed }),
  ].map(tagOf);
  expect(new Set(tags).size).toBe(tags.length);
});

test('every stand-in has a tag of its own before anything is installed', () => {
  const tags = STAND_INS.map(tagOf);
  expect(new Set(tags).size).toBe(STAND_INS.length);
  for (const tag of tags) expect(tag).toMatch(/^email-events\/[a-z]+:[\w.-]+-[0-9a-f]{12}$/);
});

test('what an image is built on is built first, each once, however many ask at once', async () => {
  const engine = await fakeEngine();
  const toolsDir = temporary();
  const parent = standIn({ name: 'below' });
  const one = standIn({ name: 'one', parent });
  const other = standIn({ name: 'other', parent });
  const context = { engine, env: {}, onProgress: () => {}, toolsDir };
  await Promise.all([one, other, one, other].map((each) => provideStandIn(context, each)));
  expect(engine.builds[0]).toBe(tagOf(parent));
  expect([...engine.builds].sort()).toEqual([parent, one, other].map(tagOf).sort());
});

test('nothing is built or installed for an image that is there', async () => {
  const present = standIn({
    files: async () => {
      throw new Error('nobody needs these');
    },
  });
  const engine = await fakeEngine([tagOf(present)]);
  const context = { engine, env: {}, onProgress: () => {}, toolsDir: temporary() };
  expect(await provideStandIn(context, present)).toBe(tagOf(present));
  expect(engine.builds).toEqual([]);
});
