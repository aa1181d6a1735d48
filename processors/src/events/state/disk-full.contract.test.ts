import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { stateCodec } from '../../testing/codecs.ts';
import { closeStore, openStore } from './seal.ts';

const run = promisify(execFile);
const FIXTURE = new URL('./disk-full.fixture.ts', import.meta.url).pathname;
const IDENTITY = { clusterId: 'c', application: 'a', partition: 3 };

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'disk-full-test-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A process whose files may have so many KiB each, as if that were all the disk has. Node takes no signal for it. */
async function withKibibytes(kibibytes: number, path: string) {
  const script = `ulimit -f ${kibibytes} && exec "$0" "$@"`;
  const { stdout } = await run('bash', ['-c', script, process.execPath, FIXTURE, path]);
  return JSON.parse(stdout);
}

test('a disk that is full costs the batch that found it so, and nothing that was there', async () => {
  const path = folder();
  const left = await withKibibytes(2_000, path);
  expect(left.codes).toEqual(Array(5).fill('STATE_DISK_FULL'));
  expect(left.applied).toBeGreaterThan(5);
  expect(left.known).toBe(left.applied * 1_000);
  expect(left.received).toBe(left.known);
  expect(left.isDamaged).toBe(false);

  // With room again it is the same store, and takes more.
  const store = await openStore(path, IDENTITY, 8 * 3_600_000, stateCodec());
  expect(store.positions).toEqual(left.positions);
  expect(store.size.ids).toBe(left.known);
  const { positions, totals } = store;
  const ids = [{ seenAt: 1_800_000_000_000, bytes: Buffer.alloc(16, 7) }];
  store.apply({ from: positions, to: { ...positions, seen: 999 }, totals, ids, recipients: new Map() });
  expect(store.has(Buffer.alloc(16, 7))).toBe(true);
  await closeStore(store, path);
});

test('a disk without room for anything refuses the store before LMDB maps it', async () => {
  await expect(withKibibytes(16, folder())).rejects.toMatchObject({
    stderr: expect.stringContaining('STATE_DISK_FULL'),
  });
});
