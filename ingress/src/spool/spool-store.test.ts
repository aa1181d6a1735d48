import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { SpooledRecord } from './spool-file.ts';
import { spoolIds } from './spool-folder.ts';
import { drainAll, nameOf, openStore, recordOf, temporaryFolder } from './testing/store.ts';

const some = (prefix: string, count: number, bytes = 1_000): SpooledRecord[] =>
  Array.from({ length: count }, (_, i) => recordOf(`${prefix}${i}`, bytes));

test('what was appended comes out in order, byte for byte, and is gone then', (context) => {
  const dir = temporaryFolder(context);
  const { store, notes } = openStore(context, dir);
  const records = [...some('a', 20), recordOf('empty', 0), recordOf('large', 1_900_000)];
  expect(store.append(records.slice(0, 10), 5_000)).toBeUndefined();
  expect(store.append(records.slice(10), 6_000)).toBeUndefined();
  expect(store.status()).toMatchObject({ problem: undefined, records: 22, oldestAt: 5_000, setAside: 0 });
  const drained = drainAll(store);
  expect(drained.map(({ headers, value }) => [headers, Buffer.from(value)])).toEqual(
    records.map(({ headers, value }) => [headers, Buffer.from(value)]),
  );
  expect(store.status()).toMatchObject({ records: 0, bytes: 0, oldestAt: undefined });
  expect(notes).toEqual([]);
});

test('what was not settled comes again; a batch is bounded by records and bytes', (context) => {
  const { store } = openStore(context, temporaryFolder(context));
  store.append(some('a', 10), 1);
  const first = store.next(4, 1e9);
  expect(first?.records.map(nameOf)).toEqual(['a0', 'a1', 'a2', 'a3']);
  const seqs = first?.records.map(({ seq }) => seq) ?? [];
  store.settle(first?.spool ?? '', [seqs[0] ?? 0, seqs[2] ?? 0], []);
  expect(store.next(3, 1e9)?.records.map(nameOf)).toEqual(['a1', 'a3', 'a4']);
  expect(store.next(9, 2_500)?.records.map(nameOf)).toEqual(['a1', 'a3']);
  expect(store.next(9, 1)?.records.map(nameOf)).toEqual(['a1']);
});

test('what a process leaves is drained by another one, oldest first, before its own', (context) => {
  const dir = temporaryFolder(context);
  for (const name of ['first', 'second']) {
    const { store } = openStore(context, dir);
    store.append(some(name, 3), 1);
    store.close();
  }
  const { store, pass } = openStore(context, dir);
  store.append(some('own', 2), 2);
  expect(drainAll(store).map(nameOf)).toEqual([
    'first0',
    'first1',
    'first2',
    'second0',
    'second1',
    'second2',
    'own0',
    'own1',
  ]);
  expect(spoolIds(dir)).toHaveLength(1);
  // Also one that is left later.
  const late = openStore(context, dir);
  late.store.append(some('late', 1), 3);
  pass(2_000);
  expect(drainAll(store)).toEqual([]);
  late.store.close();
  pass(2_000);
  expect(drainAll(store).map(nameOf)).toEqual(['late0']);
});

test('an empty spool leaves nothing behind; one that is not drained stays', (context) => {
  const dir = temporaryFolder(context);
  const empty = openStore(context, dir);
  empty.store.append(some('a', 3), 1);
  drainAll(empty.store);
  empty.store.close();
  expect(readdirSync(dir)).toEqual([]);
  const full = openStore(context, dir);
  full.store.append(some('a', 3), 1);
  full.store.close();
  expect(readdirSync(dir)).toHaveLength(1);
});

test('partly drained and left: the rest comes, and nothing of what was taken out', (context) => {
  const dir = temporaryFolder(context);
  const first = openStore(context, dir);
  first.store.append(some('a', 6), 1);
  const batch = first.store.next(4, 1e9);
  first.store.settle(
    batch?.spool ?? '',
    (batch?.records ?? []).map(({ seq }) => seq),
    [],
  );
  first.store.close();
  const second = openStore(context, dir);
  expect(drainAll(second.store).map(nameOf)).toEqual(['a4', 'a5']);
  expect(second.codes()).toEqual([]);
});

test('full at maxBytes, counting what others have; what is in it stays; it takes again when there is room', (context) => {
  const dir = temporaryFolder(context);
  const maxBytes = 16 * 1_048_576;
  const other = openStore(context, dir, maxBytes);
  expect(other.store.append(some('other', 4, 1_000_000), 1)).toBeUndefined();
  const { store, codes, pass } = openStore(context, dir, maxBytes);
  let taken = 0;
  while (taken < 100 && store.append([recordOf(`own${taken}`, 500_000)], 1) === undefined) taken++;
  expect(taken * 500_000).toBeGreaterThan(maxBytes - 4_000_000 - 2 * 1_048_576 - 500_000);
  expect(taken * 500_000).toBeLessThan(maxBytes - 4_000_000);
  expect(store.status().problem).toBe('INGRESS_SPOOL_FULL');
  expect(codes()).toEqual(['INGRESS_SPOOL_FULL']);
  expect(store.append([recordOf('too much', 1_000_000)], 1)).toBe('INGRESS_SPOOL_FULL');
  pass(2_000);
  expect(drainAll(store).map(nameOf)).toEqual(Array.from({ length: taken }, (_, i) => `own${i}`));
  expect(store.probe()).toBeUndefined();
  expect(store.status().problem).toBeUndefined();
  expect(store.append([recordOf('again', 1_000_000)], 1)).toBeUndefined();
  expect(drainAll(other.store)).toHaveLength(4);
});

test('a record that Kafka refuses does not block the others; its spool is set aside, and can be put back', (context) => {
  const dir = temporaryFolder(context);
  const { store } = openStore(context, dir);
  store.append(some('a', 5), 1);
  const batch = store.next(5, 1e9);
  const [one, two, ...rest] = batch?.records.map(({ seq }) => seq) ?? [];
  store.settle(batch?.spool ?? '', [one ?? 0, ...rest], [two ?? 0]);
  expect(drainAll(store)).toEqual([]);
  expect(store.status()).toMatchObject({ problem: undefined, records: 0, setAside: 1 });
  expect(store.append(some('b', 1), 1)).toBeUndefined();
  expect(drainAll(store).map(nameOf)).toEqual(['b0']);
  store.close();

  const aside = join(dir, 'set-aside');
  for (const id of readdirSync(aside)) cpSync(join(aside, id), join(dir, id), { recursive: true });
  rmSync(aside, { recursive: true });
  const later = openStore(context, dir);
  expect(drainAll(later.store).map(nameOf)).toEqual(['a1']);
  expect(later.codes()).toEqual([]);
  expect(later.store.status().setAside).toBe(0);
});

test('a large file that was drained gives its space back', (context) => {
  const dir = temporaryFolder(context);
  const { store } = openStore(context, dir);
  store.append(some('a', 6, 1_000_000), 1);
  const before = spoolIds(dir);
  expect(drainAll(store)).toHaveLength(6);
  expect(spoolIds(dir)).toHaveLength(1);
  expect(spoolIds(dir)).not.toEqual(before);
  expect(store.append(some('b', 1), 1)).toBeUndefined();
});

test('the directory disappears: nothing is taken; it is used again when it is back', (context) => {
  const dir = temporaryFolder(context);
  const { store, pass } = openStore(context, join(dir));
  const [id] = spoolIds(dir);
  rmSync(join(dir, id ?? ''), { recursive: true });
  expect(store.append(some('a', 1), 1)).toBe('INGRESS_SPOOL_UNAVAILABLE');
  pass(1_000);
  expect(store.append(some('b', 1), 1)).toBeUndefined();
  expect(drainAll(store).map(nameOf)).toEqual(['b0']);
});
