import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { releaseFolder } from './release-of-ref.ts';

const silent = () => {};

test('a folder is taken as it is', () => {
  const folder = mkdtempSync(join(tmpdir(), 'email-events-ref-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  expect(releaseFolder(folder, silent)).toBe(folder);
});

test.each(['v99.0.0', 'no-such-branch', '--help', 'HEAD:package.json'])('no release: %s', (ref) => {
  expect(() => releaseFolder(ref, silent)).toThrow(`--from ${ref}: neither a folder nor a tag`);
});
