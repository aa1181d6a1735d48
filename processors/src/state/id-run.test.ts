import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { IdRun } from './id-run.ts';

test('what goes in comes out, each bucket by itself and in order, and then it is empty', () => {
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
  for (const { seenAt, bytes } of run.slices()) {
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
  expect([run.ids, [...run.slices()].length]).toEqual([0, 0]);
});
