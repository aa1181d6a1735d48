import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { copyRepository, type RepositoryCopy } from '../../harness/repository-copy.ts';
import { shellBlocks } from '../docs/blocks.ts';

/** sinks/crm/ADDING_A_CRM.md does what it says, and `new:crm` writes what works. In a copy of the repository. */
const SLOW = 240_000;
const GUIDE = 'sinks/crm/ADDING_A_CRM.md';
const ADAPTER = 'sinks/crm/src/adapters/acmecrm.ts';
const HARNESS = 'sinks/crm/src/adapters/acmecrm.harness.ts';
const REGISTRY = 'sinks/crm/src/adapters/index.ts';
const CONTRACT = 'npx vitest run --project contracts test/contracts/crm/crm-adapters.test';
const OPT_OUTS = 'npx vitest run --project contracts test/contracts/crm/crm-adapters-optouts.test';

let copy: RepositoryCopy;
beforeAll(() => {
  copy = copyRepository();
});
afterAll(() => copy.remove());

const read = (path: string) => readFileSync(join(copy.root, path), 'utf8');
const write = (path: string, text: string) => writeFileSync(join(copy.root, path), text);
const changes = async () => (await copy.shell('git status --porcelain')).trim();
const imports = (registry: string) =>
  [...registry.matchAll(/^import \{ (\w+) \} from '\.\//gm)].map(([, word]) => word);
const undo = () => copy.shell('git restore . && git clean -fdq sinks');

test('every step succeeds, and taking it back leaves nothing', { timeout: SLOW }, async () => {
  const blocks = shellBlocks(read(GUIDE));
  expect(blocks.map((block) => block.split(/\s/, 3).join(' '))).toEqual(
    [
      'npm run new:crm',
      'npx tsc --noEmit',
      'npx vitest run',
      'npm run gen',
      'git restore sinks/crm/README.md',
    ].map((start) => expect.stringContaining(start)),
  );
  const [scaffold = '', check = '', contract = '', generate = '', takeBack = ''] = blocks;
  expect(await copy.shell(scaffold)).toContain(`\n${ADAPTER}\n${HARNESS}\n${REGISTRY}\n`);
  await copy.shell(check);
  expect(await copy.shell(contract)).toMatch(/Tests +\d+ passed \| \d+ skipped/);
  await copy.shell(generate);
  expect(read('sinks/crm/README.md')).toContain('`acmecrm` | base of the API | API token |');
  await copy.shell(takeBack);
  expect(await changes()).toBe('');
});

test('the contract notices mistakes in what the scaffold writes, and a file that is missing', {
  timeout: SLOW,
}, async () => {
  await copy.shell('npm run new:crm acmecrm');
  try {
    const [adapter, harness] = [read(ADAPTER), read(HARNESS)];
    write(ADAPTER, adapter.replace('.map(encodeURIComponent)', ''));
    await expect(copy.shell(`${CONTRACT} -t 'odd characters'`)).rejects.toThrow('odd characters');
    write(ADAPTER, adapter.replace("effect: 'suppresses'", "effect: 'allows'"));
    await expect(copy.shell(`${CONTRACT} -t 'hard_bounce'`)).rejects.toThrow('arrives');
    write(ADAPTER, adapter.replace(/ +undoesOptOuts: .*\n/, ''));
    await expect(copy.shell(`${OPT_OUTS} -t 'no order of states'`)).rejects.toThrow('opted out there');
    write(ADAPTER, adapter.replace('connections: concurrency, now, pace', 'connections: concurrency, now'));
    await expect(copy.shell(`${CONTRACT} -t 'counts for its pace'`)).rejects.toThrow('every call');
    write(ADAPTER, adapter);
    rmSync(join(copy.root, HARNESS));
    await expect(copy.shell(`${CONTRACT} -t registry`)).rejects.toThrow('has a harness');
    write(HARNESS, harness);
    write(REGISTRY, read(REGISTRY).replace(/(= \[\s*)acmecrm,\s*/, '$1'));
    await expect(copy.shell(`${CONTRACT} -t registry`)).rejects.toThrow('has a harness');
  } finally {
    await undo();
  }
});

test.for([
  ['Acme', 'a name is'],
  ['2go', 'a name is'],
  ['acme--crm', 'a name is'],
  ['../acme', 'a name is'],
  ['a-crm-with-a-long-name', 'a name is'],
  ['', 'a name is'],
  ['http', 'exists already'],
  ['new', 'a word of the language'],
  ['contacts', 'has a meaning'],
  ['find-crm', 'has a meaning'],
])('refuses the name "%s" and writes nothing', { timeout: SLOW }, async ([name, reason]) => {
  await expect(copy.shell(`node sinks/crm/scripts/new-crm.ts '${name}'`)).rejects.toThrow(reason);
  expect(await changes()).toBe('');
});

test('what it writes is formatted and in order, however many there are', { timeout: SLOW }, async () => {
  const before = imports(read(REGISTRY)).length;
  const names = ['zz9', 'acme-crm', 'acme', 'acme10', 'acme2', 'customers-and-more', 'customers-of-others'];
  const scaffold = 'node sinks/crm/scripts/new-crm.ts';
  await copy.shell(names.map((name) => `${scaffold} ${name}`).join('\n'));
  try {
    await copy.shell('npx biome check --error-on-warnings sinks/crm');
    const registry = read(REGISTRY);
    const imported = imports(registry);
    const [, list = ''] = /= \[([^\]]*)\];/.exec(registry) ?? [];
    expect(list.split(',').flatMap((word) => word.trim() || [])).toEqual(imported);
    expect(imported).toHaveLength(before + names.length);
  } finally {
    await undo();
  }
});
