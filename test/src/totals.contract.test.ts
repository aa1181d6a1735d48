import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { failsRun, formatTotals } from './totals.ts';

test('the line leaves skipped tests out when there are none', () => {
  expect(formatTotals({ passed: 3, failed: 0, skipped: 0 })).toBe('3 passed, 0 failed');
  expect(formatTotals({ passed: 3, failed: 1, skipped: 2 })).toBe('3 passed, 1 failed, 2 skipped');
});

test('a skipped test fails the run in CI only', () => {
  const skipped = { passed: 1, failed: 0, skipped: 1 };
  expect(failsRun(skipped, {})).toBe(false);
  expect(failsRun(skipped, { CI: 'false' })).toBe(false);
  expect(failsRun(skipped, { CI: 'true' })).toBe(true);
  expect(failsRun({ passed: 1, failed: 1, skipped: 0 }, {})).toBe(true);
});

interface Run {
  code: number;
  last: string;
}

/** Runs test/run.ts in a separate process on files that the case gives. */
function runFiles(files: Record<string, string>, env: Record<string, string> = {}): Promise<Run> {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  mkdirSync(join(root, 'node_modules', '.cache'), { recursive: true });
  // Inside the checkout, so that `vitest` can be imported from there.
  const folder = mkdtempSync(join(root, 'node_modules', '.cache', 'totals-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'vitest.config.mjs'), "export default { test: { include: ['*.test.mjs'] } };");
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const { CI: _ci, VITEST: _vitest, ...outer } = process.env;
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(root, 'test', 'run.ts'), '--root', folder],
      { cwd: folder, env: { ...outer, ...env } },
      (error, stdout) =>
        resolve({ code: error ? Number(error.code) : 0, last: stdout.trimEnd().split('\n').at(-1) ?? '' }),
    );
  });
}

const PASSING = "import { test } from 'vitest'; test('one', () => {}); test('two', () => {});";

test('counts what passed', async () => {
  expect(await runFiles({ 'a.test.mjs': PASSING })).toEqual({ code: 0, last: '2 passed, 0 failed' });
});

test('a file that cannot be loaded, a failed hook and a stray error count as failed', async () => {
  const run = await runFiles({
    'a.test.mjs': PASSING,
    'broken.test.mjs': "import './not-there.mjs';",
    'failing.test.mjs': "import { test } from 'vitest'; test('no', () => { throw new Error('no'); });",
    'hook.test.mjs':
      "import { beforeAll, describe, test } from 'vitest'; describe('group', () => { beforeAll(() => { throw new Error('hook'); }); test('never', () => {}); });",
    'stray.test.mjs':
      "import { test } from 'vitest'; test('leaves', async () => { Promise.reject(new Error('stray')); await new Promise(setImmediate); });",
  });
  expect(run).toEqual({ code: 1, last: '3 passed, 4 failed, 1 skipped' });
});

test('skipped tests are said, and fail the run in CI', async () => {
  const files = { 'a.test.mjs': `${PASSING} test.skip('three', () => {});` };
  expect(await runFiles(files)).toEqual({ code: 0, last: '2 passed, 0 failed, 1 skipped' });
  expect(await runFiles(files, { CI: 'true' })).toEqual({ code: 1, last: '2 passed, 0 failed, 1 skipped' });
});

test('a set-up that fails and a run without tests are failures', async () => {
  const withSetup = {
    'a.test.mjs': PASSING,
    'setup.mjs': "export function setup() { throw new Error('no stack'); }",
  };
  const config = "export default { test: { include: ['*.test.mjs'], globalSetup: ['./setup.mjs'] } };";
  expect(await runFiles({ ...withSetup, 'vitest.config.mjs': config })).toMatchObject({
    code: 1,
    last: '0 passed, 1 failed',
  });
  expect(await runFiles({})).toEqual({ code: 1, last: '0 passed, 1 failed' });
});
