import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { lockFile, tryLock } from '../data-dir.ts';
import { HOST_LABEL, stackLabels, useOf } from './ownership.ts';

function dataDir(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ownership-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('as long as its lock is held it runs; then it is left over, or kept', () => {
  const folder = dataDir();
  const lock = tryLock(lockFile(folder));
  expect(useOf(stackLabels('id', folder, false))).toBe('running');
  expect(useOf(stackLabels('id', folder, true))).toBe('running');
  // The holder of the lock asks about stacks from before it took the lock.
  expect(useOf(stackLabels('id', folder, false), folder)).toBe('left');
  lock?.release();
  expect(useOf(stackLabels('id', folder, false))).toBe('left');
  expect(useOf(stackLabels('id', folder, true))).toBe('kept');
});

test('where the folder is gone nobody runs it', () => {
  expect(useOf(stackLabels('id', '/there/is/no/such/folder', false))).toBe('left');
});

test('what is of another machine cannot be judged here', () => {
  const labels = { ...stackLabels('id', '/there/is/no/such/folder', false), [HOST_LABEL]: 'another' };
  expect(useOf(labels)).toBe('elsewhere');
});

const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;

test.runIf(isRoot)('a folder that may not be entered may have an owner', () => {
  const folder = dataDir();
  tryLock(lockFile(folder))?.release();
  chmodSync(folder, 0o700);
  const script = `
    import { stackLabels, useOf } from '${new URL('./ownership.ts', import.meta.url)}';
    process.setuid(${NOBODY});
    console.log(useOf(stackLabels('id', '${folder}', false)));`;
  const asked = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  expect(asked.stdout.trim()).toBe('running');
});
