import { expect, test } from 'vitest';
import { followJob, readPatchSettle } from './jobs.ts';
import { stateOf } from './testing/values.ts';

const { signal } = new AbortController();
const FAST = { firstMs: 1, mostMs: 2, patienceMs: 20 };

test('asks until there is an end, and returns it', async () => {
  let asked = 0;
  const end = await followJob(async () => (++asked === 4 ? 'complete' : undefined), signal, FAST);
  expect([end, asked]).toEqual(['complete', 4]);
});

test('a job that takes longer than the patience is given up: that opens no breaker, and pauses no other record', async () => {
  let asked = 0;
  const never = async () => void asked++;
  await expect(followJob(never, signal, FAST)).rejects.toMatchObject({
    failure: 'unverified',
    code: 'SINK_CRM_UNVERIFIED',
  });
  // Waits of 1, then 2 ms up to 20 ms: it looks once more after the last.
  expect(asked).toBe(12);
});

test('a caller that gives up during a wait gets its own reason at once', async () => {
  const giveUp = new AbortController();
  const ended = async () => void giveUp.abort(new Error('stopping'));
  const minutes = { firstMs: 600_000, mostMs: 600_000, patienceMs: 600_000 };
  await expect(followJob(ended, giveUp.signal, minutes)).rejects.toThrow('stopping');
});

test.each([
  [0, 'written'],
  [3, 'written'],
])('a write that shows after %d more looks is done', async (later, result) => {
  let looks = 0;
  let applied = 0;
  const contacts = {
    difference: async () => (looks++ > later ? undefined : 'patch'),
    apply: async () => void applied++,
  };
  expect(await readPatchSettle(contacts, stateOf(), signal, FAST)).toBe(result);
  expect(applied).toBe(1);
});

test('a write that never shows is not done, and is not made twice', async () => {
  let applied = 0;
  const contacts = { difference: async () => 'patch', apply: async () => void applied++ };
  await expect(readPatchSettle(contacts, stateOf(), signal, FAST)).rejects.toMatchObject({
    code: 'SINK_CRM_UNVERIFIED',
  });
  expect(applied).toBe(1);
});
