import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identifierOf } from '@email-events/schemas/tools';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { copyRepository, type RepositoryCopy } from '../harness/repository-copy.ts';
import { shellBlocks } from './docs/blocks.ts';
import type { Fixture } from './esp-fixtures.ts';

/** ingress/ADDING_AN_ESP.md does what it says, and `new:esp` writes what works. In a copy of the repository. */
const SLOW = 600_000;
const GUIDE = 'ingress/ADDING_AN_ESP.md';
const ADAPTER = 'ingress/esps/src/esps/acmemail.ts';
const CONTRACT = 'npx vitest run --project contracts test/contracts/esp.test.ts';

let copy: RepositoryCopy;
beforeAll(() => {
  copy = copyRepository();
});
afterAll(() => copy.remove());

const read = (path: string) => readFileSync(join(copy.root, path), 'utf8');
const changes = async () => (await copy.shell('git status --porcelain')).trim();

test('every step succeeds, and taking it back leaves nothing', { timeout: SLOW }, async () => {
  const blocks = shellBlocks(read(GUIDE));
  expect(blocks.map((block) => block.split(/\s/, 3).join(' '))).toEqual(
    [
      'npm run new:esp',
      'npx tsc --noEmit',
      `echo '{"id":"e9","event":"open","timestamp":1793610929.25,"email":"Ada <ada@example.com>"}'`,
      'npx vitest run',
      'npm run gen',
      'git restore README.md',
    ].map((start) => expect.stringContaining(start)),
  );
  const [scaffold = '', check = '', fixture = '', contract = '', generate = '', takeBack = ''] = blocks;

  expect(await copy.shell(scaffold)).toContain(`\n${ADAPTER}\n`);
  await copy.shell(check);
  await copy.shell(fixture);
  expect(fixtureOf('open-sparse')).toMatchObject({
    expected: { verified: true, events: [{ type: 'opened', recipient: 'ada@example.com' }] },
    unmapped: [],
  });
  const report = await copy.shell(contract);
  // Two runs: the contract and what the simulator sends, of all ESPs; and the new one alone, in two suites.
  expect(report).toMatch(/Test Files +2 passed \(2\)[\s\S]*Test Files +2 passed \(2\)/);
  const inspected = await copy.shell('npx email-events inspect ingress/esps/fixtures/acmemail/batch.json');
  expect(JSON.parse(inspected)).toMatchObject({ verified: true, deadLetters: [] });
  expect(report).toMatch(/Tests +\d+ passed \| \d+ skipped/);
  await copy.shell(generate);
  expect(read('README.md')).toContain('Acmemail');
  expect(read('ingress/esps/README.md')).toContain('`acmemail` |');
  await copy.shell(takeBack);
  expect(await changes()).toBe('');
});

test('what the scaffold writes is read in full, and the contract notices a mistake in it', {
  timeout: SLOW,
}, async () => {
  await copy.shell('npm run new:esp acmemail');
  try {
    const { expected, unmapped } = fixtureOf('batch');
    expect(expected.events.map(({ type }) => type)).toEqual([
      'delivered',
      'opened',
      'clicked',
      'unsubscribed',
      'complained',
      'bounced',
      'bounced',
      'other',
    ]);
    expect(expected).toMatchObject({ verified: true, deadLetters: [] });
    expect(unmapped).toEqual([]);

    writeFileSync(join(copy.root, ADAPTER), read(ADAPTER).replace('text(event.url)', 'text(event.link)'));
    await expect(copy.shell(`${CONTRACT} -t acmemail`)).rejects.toThrow('acmemail fixtures > batch');

    await copy.shell('rm -r ingress/esps/fixtures/acmemail');
    await expect(copy.shell(`${CONTRACT} -t acmemail`)).rejects.toThrow('acmemail');
    await copy.shell('rm ingress/esps/accounts/acmemail.ts');
    await expect(copy.shell('npm run gen')).rejects.toThrow('no account for acmemail');
  } finally {
    await copy.shell('git restore . && git clean -fdq ingress');
  }
});

test.for([
  ['Acme', 'a name is'],
  ['2go', 'a name is'],
  ['acme--mail', 'a name is'],
  ['../acme', 'a name is'],
  ['an-esp-with-a-long-name', 'a name is'],
  ['', 'a name is'],
  ['mailgun', 'exists already'],
  ['ses', 'exists already'],
  ['new', 'a word of the language'],
  ['normalize', 'has a meaning'],
  ['adapters', 'has a meaning'],
])('refuses the name "%s" and writes nothing', { timeout: SLOW }, async ([name, reason]) => {
  await expect(copy.shell(`node ingress/esps/scripts/new-esp.ts '${name}'`)).rejects.toThrow(reason);
  expect(await changes()).toBe('');
});

test.for([['acme-mail', 'acme'], ['zz9']])(
  'what it writes for "%s" is formatted and in order',
  { timeout: SLOW },
  async (names) => {
    try {
      for (const name of names) await copy.shell(`npm run new:esp ${name}`);
      await copy.shell('npx biome check --error-on-warnings ingress/esps');
      for (const registry of ['ingress/esps/src/adapters.gen.ts', 'ingress/esps/accounts/accounts.gen.ts']) {
        const imported = [...read(registry).matchAll(/^import \{ (\w+) \} from '\.\//gm)];
        const listed = [...read(registry).matchAll(/^ {2}(\w+),$/gm)];
        expect(imported.map(([, word]) => word)).toEqual(listed.map(([, word]) => word));
        expect(imported.map(([, word]) => word)).toEqual(expect.arrayContaining(names.map(identifierOf)));
      }
    } finally {
      await copy.shell('git restore . && git clean -fdq ingress');
    }
  },
);

function fixtureOf(name: string): Fixture {
  return JSON.parse(read(`ingress/esps/fixtures/acmemail/${name}.json`)) as Fixture;
}
