import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';

const RUN_CHILD = new URL('./run-child.mjs', import.meta.url).href;

/** Starts a parent that runs `script` by run-child, in a new process group as a terminal would make it. */
async function runInGroup(script: string) {
  const folder = mkdtempSync(join(tmpdir(), 'run-child-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const journal = join(folder, 'journal');
  const child = join(folder, 'child.mjs');
  writeFileSync(journal, '');
  writeFileSync(
    child,
    `import { appendFileSync } from 'node:fs';
     const note = (text) => appendFileSync(${JSON.stringify(journal)}, text + ' ');
     ${script}`,
  );
  const parentScript = `
    import { runUnderProjectNode } from ${JSON.stringify(RUN_CHILD)};
    process.exitCode = await runUnderProjectNode([${JSON.stringify(child)}, 'an argument']);
  `;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', parentScript], {
    detached: true,
    stdio: 'ignore',
  });
  onTestFinished(() => void parent.kill('SIGKILL'));
  const words = () => readFileSync(journal, 'utf8').trim().split(' ');
  return { parent, words };
}

async function until(condition: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 15_000; !condition(); await delay(10))
    if (Date.now() > deadline) throw new Error('the condition never held');
}

function group(parent: ChildProcess): number {
  return -(parent.pid ?? 0);
}

test('passes arguments on and the exit code back', async () => {
  const { parent, words } = await runInGroup('note(process.argv[2]); process.exit(process.argv.length + 4);');
  const [code] = await once(parent, 'exit');
  expect(words()).toEqual(['an', 'argument']);
  expect(code).toBe(7);
});

test('a Ctrl-C that arrives twice reaches the child once, and the parent waits for it', async () => {
  const { parent, words } = await runInGroup(`
    let count = 0;
    process.on('SIGINT', () => { count += 1; note('int'); });
    process.on('SIGTERM', () => { note('term'); process.exit(count); });
    note('ready');
    setInterval(() => {}, 1000);
  `);
  await until(() => words().includes('ready'));
  const exited = once(parent, 'exit');
  process.kill(group(parent), 'SIGINT');
  process.kill(parent.pid ?? 0, 'SIGINT');
  await until(() => words().includes('int'));
  process.kill(parent.pid ?? 0, 'SIGTERM');
  expect(await exited).toEqual([1, null]);
  expect(words()).toEqual(['ready', 'int', 'term']);
});

test('the child stops when its parent is killed', async () => {
  const { parent, words } = await runInGroup(`
    process.on('SIGTERM', () => { note('term'); process.exit(0); });
    note('ready');
    setInterval(() => {}, 1000);
  `);
  await until(() => words().includes('ready'));
  parent.kill('SIGKILL');
  await until(() => words().includes('term'));
});

test('the channel to the parent does not keep the child running', async () => {
  const { parent, words } = await runInGroup("note('done');");
  expect(await once(parent, 'exit')).toEqual([0, null]);
  expect(words()).toEqual(['done']);
});
