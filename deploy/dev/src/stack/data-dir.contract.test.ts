import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { tryLock, withLock } from './data-dir.ts';

function lockPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lock-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, 'made', 'when.lock');
}

test('one holder at a time', () => {
  const path = lockPath();
  const first = tryLock(path);
  expect(first).not.toBeNull();
  expect(tryLock(path)).toBeNull();
  first?.release();
  const second = tryLock(path);
  expect(second).not.toBeNull();
  // A second release by the first holder takes nothing from the second.
  first?.release();
  expect(tryLock(path)).toBeNull();
  second?.release();
});

test('waits for its turn, and lets go of the lock when the work fails', async () => {
  const path = lockPath();
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = withLock(path, async () => {
    await gate.promise;
    order.push('first');
    throw new Error('first failed');
  });
  const second = withLock(path, async () => order.push('second'), { pollMs: 1 });
  gate.resolve();
  await expect(first).rejects.toThrow('first failed');
  await second;
  expect(order).toEqual(['first', 'second']);
});

test('waiting can be called off', async () => {
  const path = lockPath();
  const held = tryLock(path);
  const waiting = withLock(path, async () => 'never', { signal: AbortSignal.abort() });
  await expect(waiting).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
  held?.release();
});

test('the lock of a killed process is free', async () => {
  const path = lockPath();
  const script = `
    import { tryLock } from ${JSON.stringify(new URL('./data-dir.ts', import.meta.url).href)};
    globalThis.lock = tryLock(process.argv[1]);
    process.stdout.write('held');
    setInterval(() => {}, 1000);
  `;
  const holder = spawn(process.execPath, ['--input-type=module', '-e', script, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  expect(tryLock(path)).toBeNull();
  const exited = once(holder, 'exit');
  holder.kill('SIGKILL');
  await exited;
  const mine = tryLock(path);
  expect(mine).not.toBeNull();
  mine?.release();
});
