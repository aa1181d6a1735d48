import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OwnedPartition } from '@email-events/core';
import { MemoryKafka } from '@email-events/core/testing';
import type { RecipientState } from '@email-events/schemas';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { changelogCodec, ownedPartition, stateCodec } from '../../testing/codecs.ts';
import { eventOf, START } from '../../testing/records.ts';
import { NO_STATE } from '../suppression/accounts.ts';
import { learn } from '../suppression/learn.ts';
import { IdRun } from './id-run.ts';
import { PartitionStore } from './partition-store.ts';
import { restore } from './restore.ts';

const SEEN = 'email.internal.seen';
const STATES = 'email.internal.recipient-state';
const HOUR = 3_600_000;
const WINDOW = 8 * HOUR;
const PARTITION = 2;
const codec = changelogCodec();

let kafka: MemoryKafka;
let owned: OwnedPartition;
beforeEach(async () => {
  kafka = new MemoryKafka();
  owned = await ownedPartition(kafka, PARTITION);
});

function newStore(path = mkdtempSync(join(tmpdir(), 'restore-test-'))): PartitionStore {
  const identity = { clusterId: 'c', application: 'a', partition: PARTITION };
  const store = new PartitionStore(path, identity, WINDOW, stateCodec());
  onTestFinished(async () => {
    await store.close();
    rmSync(path, { recursive: true, force: true });
  });
  return store;
}

const restored = (store: PartitionStore, now = START) => restore(store, owned, codec, { now });
const idOf = (n: number) => Buffer.from(n.toString(16).padStart(32, '0'), 'hex');

/** The records that one transaction of `events` leaves in the changelogs. */
function transaction(ids: number[], states: { [key: string]: RecipientState | null } = {}, seenAt = START) {
  received += ids.length;
  const seen = {
    ids: Buffer.concat(ids.map(idOf)),
    seen_at: seenAt,
    received,
    emitted: received,
    duplicates: 0,
    dead_lettered: 0,
    erased: 0,
    barrier: null,
  };
  return owned.write([
    { topic: SEEN, partition: PARTITION, key: null, value: codec.seen.encoder.encode(seen) },
    ...Object.entries(states).map(([key, state]) => ({
      topic: STATES,
      partition: PARTITION,
      key,
      value: state && codec.recipientState.encoder.encode(state),
    })),
  ]);
}
let received = 0;
beforeEach(() => {
  received = 0;
});

const bounced = learn(NO_STATE, eventOf('bounced'));
const complained = learn(bounced, eventOf('complained'));

test('with nothing behind it, nothing is read', async () => {
  const store = newStore();
  expect(await restored(store)).toBe(0);
  expect(store.positions).toEqual({ seen: 0, recipientState: 0 });
});

test('a lost store is made whole from the changelogs', async () => {
  await transaction([1, 2], { 'ann@example.com': bounced });
  await transaction([3], { 'ann@example.com': complained, 'bob@example.com': bounced });
  await transaction([]);
  const store = newStore();
  expect(await restored(store)).toBeGreaterThan(0);
  for (const n of [1, 2, 3]) expect(store.has(idOf(n))).toBe(true);
  expect(store.has(idOf(4))).toBe(false);
  expect(store.recipient('ann@example.com')).toEqual(complained);
  expect(store.recipient('bob@example.com')).toEqual(bounced);
  expect(store.totals).toMatchObject({ received: 3, emitted: 3 });
  expect(store.recipient('__BARRIER')).toBeUndefined();
});

test('a store that is up to date reads nothing, however often it is opened', async () => {
  const store = newStore();
  await restored(store);
  expect(await restored(store)).toBe(0);
  expect(await restored(store)).toBe(0);
});

test('a store that fell behind reads what it lacks and nothing else', async () => {
  const store = newStore();
  await transaction([1], { 'ann@example.com': bounced });
  await restored(store);
  await transaction([2], { 'ann@example.com': complained });
  await transaction([3]);
  const all = kafka.committed(SEEN, PARTITION).length + kafka.committed(STATES, PARTITION).length;
  const read = await restored(store);
  expect(read).toBeGreaterThan(0);
  expect(read).toBeLessThan(all);
  for (const n of [1, 2, 3]) expect(store.has(idOf(n))).toBe(true);
  expect(store.recipient('ann@example.com')).toEqual(complained);
  expect(store.totals.received).toBe(3);
});

test.each([SEEN, STATES])(
  'a barrier of %s that was not acknowledged is no end: nothing counts as restored',
  async (lost) => {
    await transaction([1], { 'ann@example.com': bounced });
    const store = newStore();
    const before = store.positions;
    // Writes all but the barrier of one changelog.
    const lacking: OwnedPartition = {
      ...owned,
      write: async (outputs) => {
        const last = await owned.write(outputs.filter(({ topic }) => topic !== lost));
        return (topic, partition) => last(topic, partition);
      },
    };
    await expect(restore(store, lacking, codec, { now: START })).rejects.toThrow(lost);
    expect(store.positions).toEqual(before);
    // The next one writes its own, and reads all of it.
    await restored(store);
    expect(store.has(idOf(1))).toBe(true);
    expect(store.recipient('ann@example.com')).toEqual(bounced);
  },
);

test('an aborted transaction leaves no trace', async () => {
  const store = newStore();
  await restored(store);
  const aborted = { status: 'aborted' } as const;
  const value = codec.seen.encoder.encode({
    ids: idOf(9),
    seen_at: START,
    received: 1,
    emitted: 1,
    duplicates: 0,
    dead_lettered: 0,
    erased: 0,
    barrier: null,
  });
  kafka.append(SEEN, PARTITION, { value }, aborted);
  kafka.marker(SEEN, PARTITION, aborted);
  await transaction([1]);
  await restored(store);
  expect(store.has(idOf(9))).toBe(false);
  expect(store.has(idOf(1))).toBe(true);
});

test('more than one piece is restored, and all of it', async () => {
  for (let i = 0; i < 1_200; i++)
    await transaction([i], { [`user${i}@x.example`]: { ...NO_STATE, delivered_at: i } });
  const store = newStore();
  await restored(store);
  expect(store.size).toMatchObject({ ids: 1_200, recipients: 1_200 });
  expect(store.recipient('user700@x.example')).toMatchObject({ delivered_at: 700 });
});

test('what is older than the window is not taken back', async () => {
  for (let i = 0; i < 100; i++) await transaction([i], {}, START + i * 4 * HOUR);
  const store = newStore();
  await restored(store, START + 99 * 4 * HOUR);
  expect(store.has(idOf(99))).toBe(true);
  expect(store.has(idOf(0))).toBe(false);
  expect(store.size.ids).toBeLessThanOrEqual(4);
  expect(store.totals.received).toBe(100);
});

test('a store that is ahead of its changelog mirrors another one', async () => {
  const store = newStore();
  await restored(store);
  for (let i = 0; i < 5; i++) await transaction([i]);
  await restored(store);
  kafka = new MemoryKafka();
  owned = await ownedPartition(kafka, PARTITION);
  await expect(restored(store)).rejects.toMatchObject({ code: 'STATE_UNUSABLE' });
});

test('a store that another owner writes to meanwhile is given up', async () => {
  const path = mkdtempSync(join(tmpdir(), 'restore-test-'));
  const [store, other] = [newStore(path), newStore(path)];
  await transaction([1]);
  const { read } = owned;
  owned = {
    ...owned,
    read: async (...args) => {
      const { positions, totals } = other;
      const to = { ...positions, seen: 77 };
      other.apply({ from: positions, to, totals, ids: [], recipients: new Map() });
      return read(...args);
    },
  };
  await expect(restored(store)).rejects.toMatchObject({ code: 'STATE_UNUSABLE' });
});

test('a restore that is cut short is not taken for whole, and the next one goes on from where it was', async () => {
  for (let i = 0; i < 60; i++) await transaction([10 * i, 10 * i + 1], { [`user${i}@x.example`]: bounced });
  const store = newStore();
  const { read } = owned;
  let pieces = 0;
  const cut = {
    ...owned,
    read: ((topic, partition, from, onRecords) =>
      read(topic, partition, from, (records) => {
        if (++pieces > 10) throw new Error('killed');
        return onRecords(records);
      })) satisfies OwnedPartition['read'],
  };
  await expect(restore(store, cut, codec, { now: START, runIds: 7 })).rejects.toThrow('killed');
  const { positions, size } = store;
  expect(size.ids).toBeGreaterThan(10);
  expect(size.ids).toBeLessThan(120);
  expect(positions.seen).toBeGreaterThan(0);
  expect(positions.recipientState).toBe(-1);
  const records = await restore(store, owned, codec, { now: START, runIds: 7 });
  expect(records).toBeLessThan(
    kafka.committed(SEEN, PARTITION).length + kafka.committed(STATES, PARTITION).length,
  );
  for (let i = 0; i < 60; i++) for (const n of [10 * i, 10 * i + 1]) expect(store.has(idOf(n))).toBe(true);
  expect(store.size).toMatchObject({ ids: 120, recipients: 60 });
  expect(store.totals.received).toBe(120);
});

test('ids that come in any order over several buckets are all put, a run at a time', async () => {
  const numbers = Array.from({ length: 3_000 }, (_, i) => (i * 7_919) % 3_001);
  for (let i = 0; i < 30; i++) {
    await transaction(numbers.slice(100 * i, 100 * (i + 1)), {}, START + (i % 3) * 4 * HOUR);
  }
  const store = newStore();
  await restore(store, owned, codec, { now: START + 8 * HOUR, runIds: 450 });
  for (const n of numbers) expect(store.has(idOf(n)), `${n}`).toBe(true);
  expect(store.size.ids).toBe(3_000);
});

test('a restore says how far it is, and waits for its turn only if it has something to read', async () => {
  for (let i = 0; i < 20; i++) await transaction([i], { 'ann@example.com': bounced });
  const store = newStore();
  const told: { records: number; remaining: number }[] = [];
  let turns = 0;
  const options = {
    now: START,
    onProgress: (progress: (typeof told)[number]) => told.push(progress),
    inTurn: (work: () => Promise<void>) => {
      turns++;
      return work();
    },
  };
  await restore(store, owned, codec, options);
  expect(told.length).toBeGreaterThan(5);
  for (const [i, { records, remaining }] of told.entries()) {
    expect(records).toBeGreaterThanOrEqual(told[i - 1]?.records ?? 0);
    expect(remaining).toBeLessThanOrEqual(told[i - 1]?.remaining ?? 1_000);
  }
  expect(told.at(-1)?.remaining).toBeLessThan(10);
  await restore(store, owned, codec, options);
  expect(turns).toBe(1);
});

test('whichever write of a restore is the last one that was made, the next restore leaves nothing out', async () => {
  for (let i = 0; i < 12; i++) {
    await transaction([2 * i, 2 * i + 1], { [`user${i}@x.example`]: bounced }, START + (i % 2) * 4 * HOUR);
  }
  for (let writes = 0; ; writes++) {
    const store = newStore();
    const { apply } = store;
    let left = writes;
    store.apply = (change) => {
      if (left-- === 0) throw new Error('killed');
      apply.call(store, change);
    };
    const options = { now: START + 4 * HOUR, runIds: 5 };
    const cut = await restore(store, owned, codec, options).then(
      () => false,
      () => true,
    );
    store.apply = apply;
    await restore(store, owned, codec, options);
    for (let n = 0; n < 24; n++) expect(store.has(idOf(n)), `${n} after ${writes} writes`).toBe(true);
    expect(store.size).toMatchObject({ ids: 24, recipients: 12 });
    expect(store.totals.received).toBe(24);
    if (!cut) break;
    expect(writes).toBeLessThan(100);
  }
});

test('what goes in comes out, each bucket by itself and in order, and once more if it is not taken', () => {
  const run = new IdRun((seenAt) => Math.floor(seenAt / 10), 20_000);
  const put = new Map<number, string[]>();
  for (let record = 0; record < 50; record++) {
    const bytes = randomBytes(16 * (record * 10 + 1));
    const seenAt = record % 20;
    run.add(seenAt, bytes);
    const ids = put.get(Math.floor(seenAt / 10)) ?? [];
    for (let at = 0; at < bytes.length; at += 16) ids.push(bytes.toString('hex', at, at + 16));
    put.set(Math.floor(seenAt / 10), ids);
  }
  expect(run.ids).toBe(12_300);
  expect(run.isFull).toBe(false);
  const out = new Map<number, string[]>();
  const slices = [...run.slices()];
  for (const { seenAt, bytes } of slices) {
    const ids = out.get(Math.floor(seenAt / 10)) ?? [];
    for (let at = 0; at < bytes.length; at += 16) ids.push(bytes.toString('hex', at, at + 16));
    out.set(Math.floor(seenAt / 10), ids);
  }
  for (const [bucket, ids] of put) {
    const found = out.get(bucket) ?? [];
    expect(found.length).toBe(ids.length);
    expect(found.map((id) => id.slice(0, 8))).toEqual(ids.map((id) => id.slice(0, 8)).sort());
    expect(new Set(found)).toEqual(new Set(ids));
  }
  expect([...run.slices()]).toEqual(slices);
});

test('a recipient who was forgotten is so after a restore, be the store new or one that knew her', async () => {
  const store = newStore();
  await transaction([1], { 'ann@example.com': bounced, 'eve@example.com': bounced });
  await restored(store);
  expect(store.hasErased).toBe(false);
  await transaction([2], { 'ann@example.com': null, 'ERASED:0': { ...bounced, erased_at: START } });
  await restored(store);
  for (const opened of [store, newStore()]) {
    await restored(opened);
    expect(opened.recipient('ann@example.com')).toBeUndefined();
    expect(opened.recipient('ERASED:0')).toMatchObject({ erased_at: START });
    expect(opened.recipient('eve@example.com')).toBeDefined();
    expect(opened.hasErased).toBe(true);
  }
});
