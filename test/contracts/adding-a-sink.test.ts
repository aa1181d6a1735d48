import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { copyRepository, type RepositoryCopy } from '../harness/repository-copy.ts';
import { shellBlocks } from './docs/blocks.ts';

/** sinks/ADDING_A_SINK.md does what it says, and `new:sink` writes what works. In a copy of the repository. */
const SLOW = 600_000;
const GUIDE = 'sinks/ADDING_A_SINK.md';
const SINK = 'sinks/acmelake/src/sink.ts';

let copy: RepositoryCopy;
beforeAll(() => {
  copy = copyRepository();
});
afterAll(() => copy.remove());

const read = (path: string) => readFileSync(join(copy.root, path), 'utf8');
const write = (path: string, text: string) => writeFileSync(join(copy.root, path), text);
const changes = async () => (await copy.shell('git status --porcelain')).split('\n').filter(Boolean);

test('every step succeeds, what is generated and the command line have the sink, and taking it back leaves nothing', {
  timeout: SLOW,
}, async () => {
  const blocks = shellBlocks(read(GUIDE));
  expect(blocks.map((block) => block.split(/\s/, 3).join(' '))).toEqual(
    ['npm run new:sink', 'npx tsc --noEmit', 'npm run gen', 'rm -r sinks/acmelake'].map((start) =>
      expect.stringContaining(start),
    ),
  );
  const [scaffold = '', check = '', generate = '', takeBack = ''] = blocks;
  expect(await copy.shell(scaffold)).toContain(`\n${SINK}\n`);
  expect(await changes()).toEqual([
    ' M deploy/cli/package.json',
    ' M deploy/cli/src/services.ts',
    ' M deploy/images/email-events/Dockerfile',
    ' M package-lock.json',
    '?? sinks/acmelake/',
  ]);
  expect(await copy.shell(check)).toMatch(/Tests +\d\d passed \(\d\d\)/);
  // The committed lock file is the one that npm would write.
  await copy.shell('git add . && npm install --package-lock-only --ignore-scripts --no-audit --no-fund');
  expect(await copy.shell('git diff --name-only')).toBe('');
  await copy.shell(generate);
  expect(read('deploy/config/pipeline.reference.yaml')).toMatch(/\n {2}# acmelake:|\n {2}acmelake:/);
  expect(read('deploy/ERRORS.md')).toContain('| `SINK_ACMELAKE_UNAVAILABLE` |');
  expect(read('deploy/images/email-events/roles')).toContain('sink-acmelake sinks/acmelake/src/main.ts');
  await expectKnownOnTheCommandLine();
  await copy.shell('git reset -q');
  await copy.shell(takeBack);
  expect(await changes()).toEqual([]);
});

/** Its section, its codes, its group, its part of the pipeline. */
async function expectKnownOnTheCommandLine(): Promise<void> {
  write('own.yaml', 'sinks:\n  acmelake: { folder: files, batchRows: 0 }\n');
  await expect(copy.shell('npx email-events config check --config own.yaml')).rejects.toThrow(
    'sinks.acmelake.batchRows',
  );
  write('own.yaml', 'sinks:\n  acmelake: { folder: files }\n');
  await copy.shell('npx email-events config check --config own.yaml');
  await copy.shell('npx email-events run sink-acmelake --check-config --config own.yaml');
  expect(await copy.shell('npx email-events help run')).toContain('sink-acmelake');
  await copy.shell('rm own.yaml');
}

test('the contract notices a sink that writes a batch twice', { timeout: SLOW }, async () => {
  await copy.shell('npm run new:sink acmelake');
  try {
    // As if every attempt were another batch.
    write(SINK, read(SINK).replace(/`\$\{id\}\.ndjson`/, '`$' + '{id}-$' + '{randomUUID()}.ndjson`'));
    const unit = 'npx vitest run --project unit sinks/acmelake';
    await expect(copy.shell(unit)).rejects.toThrow('the same batch again leaves one row a record');
  } finally {
    await undo();
  }
});

test('at least once, it appends, passes the contract as its readers see it, and says so', {
  timeout: SLOW,
}, async () => {
  await copy.shell('npm run new:sink acme-lake -- --at-least-once');
  try {
    await copy.shell('npx biome check --error-on-warnings sinks/acme-lake deploy/cli');
    expect(await copy.shell('npx vitest run --project unit sinks/acme-lake')).toMatch(/Tests +\d\d passed/);
    expect(read('sinks/acme-lake/README.md')).toContain('at least once');
    expect(read('sinks/acme-lake/src/config.ts')).toMatch(/adminPort\(90[89]\d\)/);
    expect(read('sinks/acme-lake/src/codes.ts')).toContain('SINK_ACME_LAKE_UNAVAILABLE');
  } finally {
    await undo();
  }
});

test.for([
  ['Acme', 'a name is'],
  ['../acme', 'a name is'],
  ['a-sink-with-a-long-name', 'a name is'],
  ['', 'a name is'],
  ['crm', 'exists already'],
  ['scripts', 'exists already'],
  ['new', 'a word of the language'],
  ['services', 'has a meaning'],
])('refuses the name "%s" and writes nothing', { timeout: SLOW }, async ([name, reason]) => {
  await expect(copy.shell(`node sinks/scripts/new-sink.ts '${name}'`)).rejects.toThrow(reason);
  expect(await changes()).toEqual([]);
});

async function undo(): Promise<void> {
  await copy.shell('git restore . && git clean -fdq . && rm -f node_modules/@email-events/sink-acme*');
}
