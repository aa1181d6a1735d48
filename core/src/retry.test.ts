import { expect, test } from 'vitest';
import { backoffMs, retry } from './retry.ts';

const SOON = { firstMs: 1, longestMs: 2 };

test('an error that may pass is tried again, until it works', async () => {
  let calls = 0;
  const told: [unknown, number][] = [];
  const error = new Error('away');
  const work = async () => {
    if (++calls < 3) throw error;
    return 'done';
  };
  const onRetry = (cause: unknown, attempt: number) => void told.push([cause, attempt]);
  expect(await retry(work, { backoff: SOON, retryIf: () => true, onRetry })).toBe('done');
  expect(told).toEqual([
    [error, 1],
    [error, 2],
  ]);
});

test('any other error is thrown at once', async () => {
  let calls = 0;
  const work = () => {
    calls += 1;
    return Promise.reject(new RangeError('for good'));
  };
  await expect(retry(work, { retryIf: (error) => !(error instanceof RangeError) })).rejects.toThrow(
    'for good',
  );
  expect(calls).toBe(1);
});

test('no attempt begins after the deadline; the last error is thrown', async () => {
  let calls = 0;
  const work = () => Promise.reject(new Error(`attempt ${++calls}`));
  const waiting = retry(work, { forMs: 20, backoff: SOON, retryIf: () => true });
  await expect(waiting).rejects.toThrow(/attempt \d+/);
  expect(calls).toBeGreaterThan(1);
});

test('a signal ends the longest pause', async () => {
  const stop = new AbortController();
  const waiting = retry(() => Promise.reject(new Error('away')), {
    backoff: { firstMs: 3_600_000, longestMs: 3_600_000 },
    signal: stop.signal,
    retryIf: () => true,
    onRetry: () => stop.abort(),
  });
  await expect(waiting).rejects.toThrow('away');
});

test('before another attempt something may be looked up, and fail', async () => {
  const order: string[] = [];
  const work = async () => {
    order.push('work');
    if (order.length < 3) throw new Error('away');
  };
  const before = async () => {
    order.push('before');
    throw new Error('not known either');
  };
  await retry(work, { backoff: SOON, retryIf: () => true, before });
  expect(order).toEqual(['work', 'before', 'work']);
});

test('pauses double up to the longest, and are at least half of it', () => {
  const backoff = { firstMs: 100, longestMs: 1_000 };
  const most = [1, 2, 3, 4, 5, 1_000].map((failures) => backoffMs(failures, backoff, () => 1));
  expect(most).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  expect(backoffMs(3, backoff, () => 0)).toBe(200);
});
