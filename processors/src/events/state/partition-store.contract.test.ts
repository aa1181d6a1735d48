import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { stateCodec } from '../../testing/codecs.ts';
import { eventOf, START } from '../../testing/records.ts';
import { NO_STATE } from '../suppression/accounts.ts';
import { learn } from '../suppression/learn.ts';
import { PartitionStore, type StoreChange, type StoreIdentity } from './partition-store.ts';
import { discardStore, usedPages } from './store-file.ts';

const HOUR = 3_600_000;
const WINDOW = 8 * HOUR;
const IDENTITY: StoreIdentity = { clusterId: 'c', application: 'a', partition: 3 };
const TOTALS = { received: 9, emitted: 6, duplicates: 2, deadLettered: 1, erased: 0 };

let path: string;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'store-test-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
});

/** Open until the test is finished. */
function open({ identity = IDENTITY, windowMs = WINDOW } = {}): PartitionStore {
  const store = new PartitionStore(path, identity, windowMs, stateCodec());
  onTestFinished(() => store.close());
  return store;
}

const idOf = (n: number) => Buffer.from(n.toString(16).padStart(32, '0'), 'hex');
const idsOf = (...numbers: number[]) => Buffer.concat(numbers.map(idOf));

function change(store: PartitionStore, more: Partial<StoreChange>): StoreChange {
  const { positions, totals } = store;
  return { from: positions, to: positions, totals, ids: [], recipients: new Map(), ...more };
}

/** Enough for the file to have more than a few pages. */
async function fill(): Promise<void> {
  const store = open();
  const numbers = Array.from({ length: 5_000 }, (_, i) => i);
  store.apply(
    change(store, {
      to: { seen: 10, recipientState: 20 },
      totals: TOTALS,
      ids: [{ seenAt: START, bytes: idsOf(...numbers) }],
      recipients: new Map(
        numbers.slice(0, 500).map((n) => [`user${n}@x.example`, learn(NO_STATE, eventOf('bounced'))]),
      ),
    }),
  );
  await store.close();
}

test('a new store knows nothing', () => {
  const store = open();
  expect(store.positions).toEqual({ seen: -1, recipientState: -1 });
  expect(store.totals).toEqual({ received: 0, emitted: 0, duplicates: 0, deadLettered: 0, erased: 0 });
  expect(store.has(idOf(1))).toBe(false);
  expect(store.recipient('ann@example.com')).toBeUndefined();
  expect(store.size).toMatchObject({ ids: 0, recipients: 0 });
});

test('opened again it is as it was left', async () => {
  const store = open();
  const state = learn(NO_STATE, eventOf('bounced', { diagnostic: 'no such user' }));
  const change_ = change(store, {
    to: { seen: 4, recipientState: 7 },
    totals: TOTALS,
    ids: [
      { seenAt: START, bytes: idsOf(1, 2) },
      { seenAt: START + 5 * HOUR, bytes: idsOf(3) },
    ],
    recipients: new Map([['ann@example.com', state]]),
  });
  store.apply(change_);
  await store.close();

  const again = open();
  expect(again.positions).toEqual({ seen: 4, recipientState: 7 });
  expect(again.totals).toEqual(TOTALS);
  for (const n of [1, 2, 3]) expect(again.has(idOf(n))).toBe(true);
  expect(again.has(idOf(4))).toBe(false);
  expect(again.recipient('ann@example.com')).toEqual(state);
  expect(again.size).toMatchObject({ ids: 3, recipients: 1 });
  expect(again.size.bytes).toBeGreaterThan(4_096);
});

test('ids are forgotten when their window has passed, not before', () => {
  const store = open();
  const hours = [0, 3.99, 4, 7.99, 8];
  for (const [n, hour] of hours.entries()) {
    store.apply(change(store, { ids: [{ seenAt: START + hour * HOUR, bytes: idsOf(n) }] }));
  }
  for (let now = 0; now <= 30; now += 0.5) {
    store.expire(START + now * HOUR);
    for (const [n, hour] of hours.entries()) {
      if (now <= hour + 8) expect(store.has(idOf(n)), `${hour} h at ${now} h`).toBe(true);
      // A bucket is half a window: that much longer at most.
      if (now >= hour + 12) expect(store.has(idOf(n)), `${hour} h at ${now} h`).toBe(false);
      expect(store.isExpired(START + hour * HOUR, START + now * HOUR)).toBe(!store.has(idOf(n)));
    }
  }
  expect(store.size.ids).toBe(0);
  store.apply(change(store, { ids: [{ seenAt: START, bytes: idsOf(1) }] }));
  expect(store.has(idOf(1))).toBe(true);
});

test('years of traffic need no more databases than a window', () => {
  const store = open();
  for (let half = 0; half < 100; half++) {
    const now = START + half * 4 * HOUR;
    store.expire(now);
    store.apply(change(store, { ids: [{ seenAt: now, bytes: idsOf(half) }] }));
    expect(store.size.ids).toBeLessThanOrEqual(4);
  }
});

test('years of traffic need no more bytes either', () => {
  const store = open();
  const sizes: number[] = [];
  for (let half = 0; half < 16; half++) {
    for (let n = 0; n < 10; n++) {
      const now = START + half * 4 * HOUR + n;
      store.expire(now);
      store.apply(change(store, { ids: [{ seenAt: now, bytes: randomBytes(16 * 500) }] }));
    }
    sizes.push(store.size.bytes);
  }
  expect(Math.max(...sizes)).toBeLessThanOrEqual((sizes[5] ?? 0) * 1.1);
  expect(store.size.ids).toBe(3 * 5_000);
});

test('a change is made whole or not at all', () => {
  const store = open();
  const broken = new Map([
    ['ann@example.com', { ...NO_STATE, delivered_at: 'yesterday' as unknown as number }],
  ]);
  const ids = [{ seenAt: START, bytes: idsOf(1) }];
  expect(() =>
    store.apply(change(store, { to: { seen: 5, recipientState: 5 }, ids, recipients: broken })),
  ).toThrow();
  expect(store.positions.seen).toBe(-1);
  expect(store.has(idOf(1))).toBe(false);
  expect(store.isDamaged).toBe(false);
});

test('a change that builds on another position is refused', async () => {
  const store = open();
  const stale = change(store, {
    to: { seen: 1, recipientState: -1 },
    ids: [{ seenAt: START, bytes: idsOf(1) }],
  });
  store.apply(change(store, { to: { seen: 2, recipientState: -1 } }));
  expect(() => store.apply(stale)).toThrow(expect.objectContaining({ code: 'STATE_UNUSABLE' }));
  expect(store.has(idOf(1))).toBe(false);
  expect(store.positions.seen).toBe(2);
  expect(store.isDamaged).toBe(false);
});

test('keys of any length are kept apart', () => {
  const store = open();
  const keys = [479, 480, 481, 3_000].flatMap((length) =>
    ['a', 'b'].map((end) => `${'ü'.repeat(length)}${end}`),
  );
  const states = new Map(keys.map((key, i) => [key, { ...NO_STATE, delivered_at: i }]));
  store.apply(change(store, { recipients: states }));
  for (const [key, state] of states) expect(store.recipient(key)).toEqual(state);
});

test('keys with control characters are kept apart', () => {
  const store = open();
  const keys = ['a\u0000b@x.example', 'a\u0001b@x.example', 'ab@x.example', 'a\ufffdb@x.example', '\u0000'];
  const states = new Map(keys.map((key, i) => [key, { ...NO_STATE, delivered_at: i }]));
  store.apply(change(store, { recipients: states }));
  for (const [key, state] of states) expect(store.recipient(key)).toEqual(state);
});

test.each([
  ['cluster', { identity: { ...IDENTITY, clusterId: 'other' } }],
  ['application', { identity: { ...IDENTITY, application: 'other' } }],
  ['partition', { identity: { ...IDENTITY, partition: 4 } }],
  // Buckets are numbered by the window: read with another one they would be dropped early, or never.
  ['window', { windowMs: 2 * WINDOW }],
])('the store of another %s is refused, and can be made anew', async (_, other) => {
  await fill();
  expect(() => open(other)).toThrow(expect.objectContaining({ code: 'STATE_UNUSABLE' }));
  discardStore(path);
  const store = open(other);
  expect(store.positions.seen).toBe(-1);
  store.apply(change(store, { ids: [{ seenAt: START, bytes: idsOf(1) }] }));
  expect(store.has(idOf(1))).toBe(true);
});

test('states of another version of their schema are refused: their bytes would be read as something else', async () => {
  await fill();
  const codec = { ...stateCodec(), version: 'another' };
  expect(() => new PartitionStore(path, IDENTITY, WINDOW, codec)).toThrow(
    expect.objectContaining({ code: 'STATE_UNUSABLE' }),
  );
  expect(open().positions.seen).toBe(10);
});

test('a state that cannot be decoded is damage too', async () => {
  const store = open();
  const states = new Map([['ann@example.com', NO_STATE]]);
  store.apply(change(store, { recipients: states }));
  await store.close();
  const codec = { ...stateCodec(), decode: () => Buffer.alloc(1).readInt32BE() as never };
  const again = new PartitionStore(path, IDENTITY, WINDOW, codec);
  onTestFinished(() => again.close());
  expect(() => again.recipient('ann@example.com')).toThrow(
    expect.objectContaining({ code: 'STATE_UNUSABLE' }),
  );
  expect(again.isDamaged).toBe(true);
});

const file = () => join(path, 'store.mdb');
/** Bytes of the file that LMDB uses: behind them there is only room. */
function used(): number {
  const { pages, pageSize } = usedPages(file());
  return pages * pageSize;
}

test.each([
  ['an empty file', () => truncateSync(file(), 0)],
  ['half a header', () => truncateSync(file(), 100)],
  ['one meta page', () => truncateSync(file(), 4_096)],
  ['two meta pages', () => truncateSync(file(), 8_192)],
  ['half a file', () => truncateSync(file(), used() >> 1)],
  ['a file less its last page', () => truncateSync(file(), used() - 4_096)],
  ['a file of noise', () => writeFileSync(file(), Buffer.alloc(200_000, 'noise'))],
  ['text', () => writeFileSync(file(), 'not a database')],
])('%s is refused before LMDB maps it', async (_, damage) => {
  await fill();
  damage();
  expect(() => open()).toThrow(expect.objectContaining({ code: 'STATE_UNUSABLE' }));
});

/** In a child process: a crash that cannot be caught must not end the test. */
async function useInProcess(): Promise<string> {
  const script = new URL('./use-store.fixture.ts', import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, [script, path]);
  return stdout.trim();
}

test('pages of noise are noticed, and the store is then known to be damaged', async () => {
  await fill();
  expect(await useInProcess()).toBe('fine');
  const bytes = readFileSync(file());
  bytes.fill('noise', 2 * 4_096);
  writeFileSync(file(), bytes);
  expect(await useInProcess()).toMatch(/^STATE_UNUSABLE/);
}, 30_000);
