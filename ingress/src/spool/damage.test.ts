import { cpSync, existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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
 * Whatever was done to the file: what comes out is what went in, in order; if anything is missing it was noticed, and
 * the file is kept; new requests are taken as before.
 */
function expectNoticed(
  context: Parameters<typeof temporaryFolder>[0],
  id: string,
  damagedFile: Buffer,
): number {
  const dir = temporaryFolder(context);
  mkdirSync(join(dir, id));
  writeFileSync(join(dir, id, 'spool.db'), damagedFile);
  const { store, codes, pass } = openStore(context, dir);
  expect(store.append([recordOf('new', 100)], 1)).toBeUndefined();
  const drained = drainAll(store);
  pass(2_000);
  drained.push(...drainAll(store));
  const names = drained.map(nameOf);
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
    { numRuns: 15, examples: [[0], [50], [file.length - 1], [file.length - 4_096]] },
  );
  // Most of what is before the cut is saved.
  expect(Math.min(...cuts)).toBeLessThan(RECORDS / 2);
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
