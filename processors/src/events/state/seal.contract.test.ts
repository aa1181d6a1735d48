import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { stateCodec } from '../../testing/codecs.ts';
import { eventOf, START } from '../../testing/records.ts';
import { NO_STATE } from '../suppression/accounts.ts';
import { learn } from '../suppression/learn.ts';
import type { PartitionStore } from './partition-store.ts';
import { closeStore, openStore } from './seal.ts';

const WINDOW = 8 * 3_600_000;
const IDENTITY = { clusterId: 'c', application: 'a', partition: 3 };
const UNUSABLE = expect.objectContaining({ code: 'STATE_UNUSABLE' });

let path: string;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'seal-test-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
});
const file = () => join(path, 'store.mdb');
const sealed = () => join(path, 'seal');

const open = () => openStore(path, IDENTITY, WINDOW, stateCodec());
const idOf = (n: number) => Buffer.from(n.toString(16).padStart(32, '0'), 'hex');

function add(store: PartitionStore, from: number, count: number): void {
  const numbers = Array.from({ length: count }, (_, i) => from + i);
  const { positions, totals } = store;
  store.apply({
    from: positions,
    to: { ...positions, seen: positions.seen + 2 },
    totals: { ...totals, received: totals.received + count, emitted: totals.emitted + count },
    ids: [{ seenAt: START, bytes: Buffer.concat(numbers.map(idOf)) }],
    recipients: new Map(numbers.map((n) => [`user${n}@x.example`, learn(NO_STATE, eventOf('bounced'))])),
  });
}

/** As if its process had been killed: it is not sealed. */
async function kill(store: PartitionStore): Promise<void> {
  await store.close();
}

test('a store that was closed well is opened again, as often as one likes', async () => {
  for (let n = 0; n < 4; n++) {
    const store = await open();
    expect(store.totals.received).toBe(n * 100);
    add(store, n * 100, 100);
    await closeStore(store, path);
  }
});

// A linear congruential generator: the same places at each run.
function places(count: number, below: number): number[] {
  let state = 20_261_125;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % below;
  });
}

test('whatever bit of a closed store is another, it is refused', async () => {
  const store = await open();
  add(store, 0, 2_000);
  await closeStore(store, path);
  const [whole, seal] = [readFileSync(file()), readFileSync(sealed())];
  for (const place of places(300, whole.length * 8)) {
    const bytes = Buffer.from(whole);
    bytes[place >> 3] = (bytes[place >> 3] ?? 0) ^ (1 << (place & 7));
    writeFileSync(file(), bytes);
    await expect(open(), `bit ${place}`).rejects.toEqual(UNUSABLE);
    writeFileSync(sealed(), seal);
  }
  // It was the bits, and nothing else.
  writeFileSync(file(), whole);
  await closeStore(await open(), path);
});

test.each([
  ['shorter', () => truncateSync(file(), readFileSync(file()).length - 1)],
  ['longer', () => writeFileSync(file(), Buffer.alloc(1), { flag: 'a' })],
  ['of an earlier day', (earlier: Buffer) => writeFileSync(file(), earlier)],
])('a closed store whose file is %s is refused', async (_, change) => {
  const first = await open();
  add(first, 0, 200);
  await closeStore(first, path);
  const earlier = readFileSync(file());
  const second = await open();
  add(second, 200, 200);
  await closeStore(second, path);
  change(earlier);
  await expect(open()).rejects.toEqual(UNUSABLE);
});

test('a store whose process was killed is trusted once, not twice in a row', async () => {
  const first = await open();
  add(first, 0, 50);
  await kill(first);
  const second = await open();
  expect(second.totals.received).toBe(50);
  await closeStore(second, path);
  await kill(await open());
  await kill(await open());
  await expect(open()).rejects.toEqual(UNUSABLE);
});

test('a seal that cannot be read is none to trust', async () => {
  const store = await open();
  await closeStore(store, path);
  for (const text of ['', 'in use', 'sealed', 'in use x', 'noise'.repeat(20)]) {
    writeFileSync(sealed(), text);
    if (text === '' || text.startsWith('noise')) {
      // Says nothing at all, as if it had been lost: like a store whose process was killed.
      await kill(await open());
    } else {
      await expect(open(), text).rejects.toEqual(UNUSABLE);
    }
  }
});
