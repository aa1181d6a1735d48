import { cpSync, existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { spoolIds } from './spool-folder.ts';
import { bodyOf, drainAll, nameOf, openStore, recordOf, temporaryFolder } from './testing/store.ts';

const RECORDS = 60;
const sizeOf = (i: number) => [200, 3_000, 40_000, 0, 9_000][i % 5] ?? 0;

/** A spool of many requests that some process has left, and the bytes of its file. */
function leftSpool(context: Parameters<typeof temporaryFolder>[0]) {
  const dir = temporaryFolder(context);
  const { store } = openStore(context, dir);
  for (let i = 0; i < RECORDS; i += 4) {
    store.append(
      [0, 1, 2, 3].map((n) => recordOf(`r${i + n}`, sizeOf(i + n))),
      1,
    );
  }
  const [id = ''] = spoolIds(dir);
  store.close();
  return { dir, id, file: readFileSync(join(dir, id, 'spool.db')) };
}

/**
 * However the file was damaged: the requests that come out are those that went in, in order; if any is missing, the spool has noticed
 * it and keeps the file; it takes new requests as before.
 */
function expectNoticed(
  context: Parameters<typeof temporaryFolder>[0],
  id: string,
  damagedFile: Buffer,
  journal?: Buffer,
): number {
  const dir = temporaryFolder(context);
  mkdirSync(join(dir, id));
  writeFileSync(join(dir, id, 'spool.db'), damagedFile);
  if (journal) writeFileSync(join(dir, id, 'spool.db-journal'), journal);
  const { store, codes, pass } = openStore(context, dir);
  expect(store.append([recordOf('new', 100)], 1)).toBeUndefined();
  const drained = drainAll(store);
  pass(2_000);
  drained.push(...drainAll(store));
  // Requests that were never answered may have reached the disk or not.
  const names = drained.map(nameOf).filter((name) => !name.startsWith('unanswered'));
  expect(names.pop()).toBe('new');
  const numbers = names.map((name) => Number(name.slice(1)));
  expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  for (const [i, n] of numbers.entries()) {
    expect(bodyOf(`r${n}`, sizeOf(n)).equals(drained[i]?.value ?? Buffer.of())).toBe(true);
  }
  const missing = RECORDS - numbers.length;
  if (missing > 0) {
    expect(codes()).toContain('INGRESS_SPOOL_DAMAGED');
    expect(existsSync(join(dir, 'set-aside', id, 'spool.db'))).toBe(true);
    expect(store.status().setAside).toBe(1);
  }
  expect(store.status()).toMatchObject({ problem: undefined, records: 0 });
  store.close();
  return missing;
}

test('a file that was cut off anywhere', (context) => {
  const { id, file } = leftSpool(context);
  const cuts: number[] = [];
  fc.assert(
    fc.property(fc.integer({ min: 0, max: file.length - 1 }), (length) => {
      const missing = expectNoticed(context, id, file.subarray(0, length));
      cuts.push(missing);
    }),
    { numRuns: 15, examples: [[0], [50], [file.length - 1], [file.length - 2_000], [file.length - 4_096]] },
  );
  // Most of what is before the cut is saved.
  expect(Math.min(...cuts)).toBeLessThan(RECORDS / 2);
});

test('of a file that was cut off, what is before the cut is saved', (context) => {
  const { id, file } = leftSpool(context);
  const missing = expectNoticed(context, id, file.subarray(0, Math.floor(file.length * 0.75)));
  expect(missing).toBeGreaterThan(0);
  expect(missing).toBeLessThan(RECORDS / 2);
});

test('a file that lacks some of its records, though SQLite finds nothing wrong with it', (context) => {
  const { dir, id } = leftSpool(context);
  const path = join(dir, id, 'spool.db');
  const database = new DatabaseSync(path);
  database.exec('DELETE FROM records WHERE seq IN (7, 8, 9)');
  database.close();
  expect(expectNoticed(context, id, readFileSync(path))).toBe(3);
});

test('a file in which bytes were changed anywhere', (context) => {
  const { id, file } = leftSpool(context);
  const misses: number[] = [];
  const change = fc.record({
    at: fc.integer({ min: 0, max: file.length - 1 }),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 6_000 }),
  });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
      const copy = Buffer.from(file);
      for (const { at, bytes } of changes) copy.set(bytes.subarray(0, copy.length - at), at);
      misses.push(expectNoticed(context, id, copy));
    }),
    { numRuns: 25 },
  );
  expect(Math.max(...misses)).toBeGreaterThan(0);
  expect(Math.min(...misses)).toBeLessThan(RECORDS / 2);
});

/** The file and its journal as a crash in the middle of a transaction leaves them. */
function crashedInTransaction(path: string): { file: Buffer; journal: Buffer } {
  const database = new DatabaseSync(path);
  // With so small a cache the transaction is written to the file before it is committed.
  database.exec(
    'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = TRUNCATE; PRAGMA cache_size = 1; BEGIN',
  );
  const insert = database.prepare('INSERT INTO records VALUES (?, 1, ?, ?, 1)');
  for (let seq = RECORDS + 1; seq < RECORDS + 30; seq++) {
    insert.run(seq, recordOf(`unanswered${seq}`, 0).headers, bodyOf('x', 5_000));
  }
  database.exec('DELETE FROM records WHERE seq IN (2, 5, 9)');
  database.exec(`UPDATE state SET last = ${RECORDS + 29}, records = ${RECORDS + 26}`);
  const left = { file: readFileSync(path), journal: readFileSync(`${path}-journal`) };
  database.exec('ROLLBACK');
  database.close();
  return left;
}

test('a crash in the middle of a transaction, with a journal that was changed or cut off anywhere', (context) => {
  const { dir, id } = leftSpool(context);
  const { file, journal } = crashedInTransaction(join(dir, id, 'spool.db'));
  expect(expectNoticed(context, id, file, journal)).toBe(0);
  const misses: number[] = [];
  const at = fc.integer({ min: 0, max: journal.length - 1 });
  fc.assert(
    fc.property(at, fc.uint8Array({ maxLength: 2_000 }), (where, bytes) => {
      const copy = Buffer.from(bytes.length === 0 ? journal.subarray(0, where) : journal);
      copy.set(bytes.subarray(0, copy.length - where), where);
      misses.push(expectNoticed(context, id, file, copy));
    }),
    {
      numRuns: 25,
      examples: [
        [0, Uint8Array.of()],
        [0, Uint8Array.of(0, 0, 0, 0)],
      ],
    },
  );
  expect(Math.max(...misses)).toBeGreaterThan(0);
});

test('a file that is something else altogether is set aside', (context) => {
  const { id } = leftSpool(context);
  expect(expectNoticed(context, id, Buffer.alloc(20_000, 'this is no database'))).toBe(RECORDS);
});

test('undamaged, the copy gives everything: the test would see a loss', (context) => {
  const { dir, id, file } = leftSpool(context);
  expect(expectNoticed(context, id, file)).toBe(0);
  const copy = join(dir, 'copy');
  cpSync(join(dir, id), copy, { recursive: true });
  truncateSync(join(copy, 'spool.db'), file.length - 1);
  expect(expectNoticed(context, id, readFileSync(join(copy, 'spool.db')))).toBeLessThanOrEqual(RECORDS);
});
