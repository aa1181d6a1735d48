import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test, vi } from 'vitest';
import { AFTERMATHS, type Aftermath, OnePartition } from './one-partition.fixture.ts';
import { PartitionStore, type StoreChange } from './state/partition-store.ts';
import { diskFull } from './state/store-file.ts';

const exec = promisify(execFile);

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'state-failures-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

type Apply = (change: StoreChange) => void;
const { apply } = PartitionStore.prototype;

/** Every change of a store goes through `instead`, which may make it with `really`. */
function changes(instead: (change: StoreChange, really: Apply, store: PartitionStore) => void): void {
  const spy = vi.spyOn(PartitionStore.prototype, 'apply').mockImplementation(function (
    this: PartitionStore,
    change,
  ) {
    instead(change, (made) => apply.call(this, made), this);
  });
  onTestFinished(() => spy.mockRestore());
}

const full = () => diskFull(new Error('as in a test'));
const isLarge = ({ ids, recipients }: StoreChange) =>
  recipients.size > 0 || ids.some(({ bytes }) => bytes.length > 0);

/** How the disk fails from a change on, `times` times. */
const DISKS: { readonly [what: string]: (from: number, times: number) => Parameters<typeof changes>[0] } = {
  'takes nothing': (from, times) => {
    let made = 0;
    return (change, really) => {
      const n = made++;
      if (n >= from && n < from + times) throw full();
      really(change);
    };
  },
  'takes small changes, and none with ids or recipients': (from, times) => {
    let made = 0;
    let refused = 0;
    return (change, really) => {
      if (made++ >= from && isLarge(change) && refused++ < times) throw full();
      really(change);
    };
  },
  'takes it, and says that it did not': (from, times) => {
    let made = 0;
    return (change, really, store) => {
      const n = made++;
      const before = Reflect.get(store, 'state');
      really(change);
      if (n < from || n >= from + times) return;
      Reflect.set(store, 'state', before);
      throw full();
    };
  },
};

/** The number of changes that a store is asked for when nothing fails. */
async function changesOf(): Promise<number> {
  let made = 0;
  changes((change, really) => {
    made++;
    really(change);
  });
  await pass(new OnePartition(folder()), 'closed');
  vi.restoreAllMocks();
  return made;
}

async function pass(partition: OnePartition, aftermath: Aftermath): Promise<void> {
  partition.produce(8, 20);
  await partition.run(aftermath);
  expect(await partition.wrong()).toEqual({ twice: 0, never: 0 });
  // Another owner remembers all of it, from its store and from the changelog.
  partition.produceAllAgain();
  await partition.run(aftermath);
  partition.loseStore();
  partition.produceAllAgain();
  await partition.run(aftermath);
  expect(await partition.wrong()).toEqual({ twice: 0, never: 0 });
}

const cases = Object.entries(DISKS).flatMap(([disk, failing]) =>
  AFTERMATHS.map((aftermath) => ({ disk, aftermath, failing })),
);

test.each(cases)(
  'whatever change the disk refuses ($disk; then the store is $aftermath): once is once',
  async ({ aftermath, failing }) => {
    const count = await changesOf();
    let failed = 0;
    // The next owners of a store that was closed meet the same disk; the others begin with another one.
    for (const times of aftermath === 'closed' ? [1, 4] : [1]) {
      for (let from = 0; from < count; from++) {
        changes(failing(from, times));
        const partition = new OnePartition(folder());
        await pass(partition, aftermath).catch((cause) => {
          throw new Error(`from change ${from} on, ${times} times`, { cause });
        });
        vi.restoreAllMocks();
        expect(partition.failures.filter((code) => code !== 'STATE_DISK_FULL')).toEqual([]);
        failed += Math.min(1, partition.failures.length);
      }
    }
    expect(failed).toBeGreaterThan(count / 2);
  },
);

test('however much room a disk has that becomes full: once is once', { timeout: 240_000 }, async () => {
  const fixture = new URL('./state-full-disk.fixture.ts', import.meta.url).pathname;
  const { stdout } = await exec(process.execPath, [fixture, folder(), '24']);
  const told: { failures: string[]; twice: number; never: number }[] = JSON.parse(stdout);
  expect(told).toHaveLength(24);
  expect(told.map(({ twice, never }) => [twice, never])).toEqual(told.map(() => [0, 0]));
  const failed = told.filter(({ failures }) => failures.length > 0);
  expect(failed.length).toBeGreaterThan(5);
  expect(new Set(failed.flatMap(({ failures }) => failures))).toEqual(new Set(['STATE_DISK_FULL']));
});
