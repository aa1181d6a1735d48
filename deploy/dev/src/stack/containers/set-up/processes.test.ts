import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { identify, isAlive, programOf } from './processes.ts';

const PID = 4242;

/** A /proc of the test's own with one process. */
function procWith(process: { state?: string; startTicks?: number; program?: string; bootId?: string }) {
  const { state = 'S', startTicks = 1000, program = 'dockerd', bootId = 'boot-1' } = process;
  const proc = mkdtempSync(join(tmpdir(), 'process-identity-test-'));
  onTestFinished(() => rmSync(proc, { recursive: true }));
  mkdirSync(join(proc, 'sys/kernel/random'), { recursive: true });
  writeFileSync(join(proc, 'sys/kernel/random/boot_id'), `${bootId}\n`);
  mkdirSync(join(proc, String(PID)));
  const upToStart = `${state} 1 ${PID} ${PID} 0 -1 4194560 9 9 9 9 9 9 9 9 20 0 12 0`;
  writeFileSync(join(proc, String(PID), 'stat'), `${PID} (${program}) ${upToStart} ${startTicks} 77 88\n`);
  writeFileSync(join(proc, String(PID), 'comm'), `${program}\n`);
  return proc;
}

const identity = { pid: PID, startTicks: 1000, bootId: 'boot-1' };

test('a process is known by its pid, its start and the boot', () => {
  const proc = procWith({});
  expect(identify(PID, proc)).toEqual(identity);
  expect(isAlive(identity, proc)).toBe(true);
  expect(programOf(PID, proc)).toBe('dockerd');
});

test.each([
  ['the pid was given to another process', { startTicks: 2000 }],
  ['the machine was started anew, and the ticks are the same by chance', { bootId: 'boot-2' }],
  ['it has ended and nobody has collected it', { state: 'Z' }],
])('it is not alive when %s', (_name, change) => {
  expect(isAlive(identity, procWith(change))).toBe(false);
});

test('a name with blanks and brackets hides no field', () => {
  expect(identify(PID, procWith({ program: 'a) S 1 (b' }))).toEqual(identity);
});

test('there is nothing to know of a process that is not there', () => {
  const proc = procWith({});
  expect(identify(1, proc)).toBeNull();
  expect(programOf(1, proc)).toBeNull();
});
