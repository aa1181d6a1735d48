import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { canRun, runTool } from './run-tool.ts';

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'run-tool-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

test('the exit code, and what was said on both streams', async () => {
  const result = await runTool('sh', ['-c', 'echo one; echo two >&2; exit 3']);
  expect(result.code).toBe(3);
  expect(result.output.split('\n').sort()).toEqual(['', 'one', 'two']);
});

test('its answer is whole and apart from what it warns of; of both, the end is kept', async () => {
  // Longer than what a pipe gives at once, and characters of two bytes from an odd place on.
  const script = `console.error('a warning'); process.stdout.write('x' + 'é'.repeat(100_000))`;
  const { stdout, output } = await runTool(process.execPath, ['-e', script]);
  expect(stdout === `x${'é'.repeat(100_000)}`).toBe(true);
  expect(output).toHaveLength(4_000);
});

test('a program that is not there', async () => {
  await expect(runTool('no-such-program', [])).rejects.toMatchObject({ code: 'STACK_TOOL_MISSING' });
  expect(await canRun('no-such-program', [])).toBe(false);
});

test('a program is called off', async () => {
  const caller = new AbortController();
  const running = runTool('sleep', ['600'], { signal: caller.signal });
  caller.abort();
  await expect(running).rejects.toMatchObject({ code: 'STACK_ABORTED' });
});

test('a program that waits for its child is called off with it', async () => {
  const cwd = temporary();
  const caller = new AbortController();
  // A shell with a trap carries on with it only after its child has ended. The child says itself that it has started: a
  // signal before that would leave it to be waited for.
  const script = 'trap "touch trapped" INT TERM; sh -c "touch started; exec sleep 600"';
  const running = runTool('sh', ['-c', script], { cwd, signal: caller.signal, withChildren: true });
  running.catch(() => {});
  await expect.poll(() => existsSync(join(cwd, 'started'))).toBe(true);
  caller.abort();
  await expect(running).rejects.toMatchObject({ code: 'STACK_ABORTED' });
  expect(existsSync(join(cwd, 'trapped'))).toBe(true);
});
