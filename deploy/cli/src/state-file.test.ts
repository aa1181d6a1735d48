import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { pathsOf } from './home.ts';
import { clearState, lockRun, type RunState, readState, writeState } from './state-file.ts';

const home = mkdtempSync(join(tmpdir(), 'state-file-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const state: RunState = {
  ...{ pid: 1, phase: 'running', startedAt: '2026-01-01T00:00:00.000Z', configFile: 'c' },
  ...{ certificate: null, urls: null, services: [], components: [] },
};

test('a state counts only while its pipeline holds the lock', () => {
  const paths = pathsOf(home);
  expect(readState(paths)).toBeNull();
  const lock = lockRun(paths);
  writeState(paths, state);
  expect(readState(paths)).toEqual(state);
  expect(lockRun(paths)).toBeNull();
  // As after a kill -9: the file is left behind, the lock is not.
  lock?.release();
  expect(readState(paths)).toBeNull();
  clearState(paths);
  expect(readState(paths)).toBeNull();
});
