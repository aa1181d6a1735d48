import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { temporaryFolder } from './testing/store.ts';

const FIXTURE = fileURLToPath(new URL('./testing/full-disk.fixture.ts', import.meta.url));
const MOUNT = 'mount -t tmpfs -o size=4m none "$1" && exec "$2" "$3" "$1" tmpfs';

/** Ways to a small disk of one's own; not every machine allows one. */
const NAMESPACES = [
  ['unshare', '-Urm'],
  ['unshare', '-m'],
  ['sudo', '-n', 'unshare', '-m'],
] as const;
const namespace = NAMESPACES.find(
  ([command, ...args]) =>
    spawnSync(command, [...args, 'sh', '-c', 'mount -t tmpfs -o size=1m none /mnt']).status === 0,
);
// A limit of the file size is there everywhere: also a disk that takes nothing more.
const disks = namespace ? ['tmpfs', 'limit'] : ['limit'];

test.for(disks)(
  'a disk that is full (%s): "later", what is spooled stays and drains, and it recovers by itself',
  { timeout: 60_000 },
  async (disk, context) => {
    const dir = temporaryFolder(context);
    const [command, ...args] =
      disk === 'tmpfs' && namespace
        ? [...namespace, 'sh', '-c', MOUNT, 'sh', dir, process.execPath, FIXTURE]
        : [process.execPath, FIXTURE, dir, 'limit'];
    const { stdout } = await promisify(execFile)(command ?? '', args);
    const seen = JSON.parse(stdout);
    const code = disk === 'tmpfs' ? 'INGRESS_SPOOL_FULL' : 'INGRESS_SPOOL_UNAVAILABLE';
    expect(seen).toMatchObject({
      whileFull: [code, code],
      healthWhileFull: code,
      recoveredBySpace: true,
      recoveredAgain: true,
      lastOne: 'taken',
    });
    expect(seen.taken.length).toBeGreaterThanOrEqual(21);
    // All of it, in order, none of it twice although nothing could be taken out of the file.
    expect(seen.drainedWhileFull).toEqual(seen.taken.slice(0, seen.drainedWhileFull.length));
    // Under the limit not even what a failed write has changed can be put back, so the file waits until it can.
    if (disk === 'tmpfs') expect(seen.drainedWhileFull).toHaveLength(seen.taken.length - 1);
    expect(seen.drained).toEqual(seen.taken);
  },
);
