import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { paceBeside, type SharedPace } from './pace.ts';
import { type CountedCrm, callOn, counting, limit, paceWith } from './testing/counted-calls.ts';
import { closeTogether, urgently } from './turns.ts';

// Time is played, so that what is counted does not depend on the machine.
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const { signal } = new AbortController();

describe('calls that must be close together', () => {
  /** So many pairs of a read and a write at once; the longest time between the two. */
  async function pairs(pace: SharedPace, crm: CountedCrm, count: number, gone = 0): Promise<number> {
    let longest = 0;
    const work = Array.from({ length: count }, (_, n) =>
      closeTogether(
        pace,
        2,
        async () => {
          await pace.run(() => crm.call(5), signal);
          const readAt = performance.now();
          if (n < gone) return;
          await pace.run(() => crm.call(5), signal);
          longest = Math.max(longest, performance.now() - readAt);
        },
        signal,
      ),
    );
    await vi.advanceTimersByTimeAsync(120_000);
    await Promise.all(work);
    return longest;
  }

  test('do not wait in between, however long they waited before, and the limit holds', async () => {
    const crm = counting();
    expect(await pairs(paceWith(limit(5, 1_000)), crm, 40)).toBeLessThan(10);
    expect(crm.times).toHaveLength(80);
    expect(crm.mostWithin(1_000)).toBeLessThanOrEqual(5);
  });

  test('where a window takes only one, the second is the next', async () => {
    const crm = counting();
    expect(await pairs(paceWith(limit(1, 1_000)), crm, 20)).toBeLessThan(1_200);
    expect(crm.times).toHaveLength(40);
    expect(crm.mostWithin(1_000)).toBe(1);
  });

  test('where the CRM takes one call at a time, and a window only one, they still come to an end', async () => {
    const crm = counting();
    const pace = paceWith({ ...limit(1, 1_000), concurrency: 1 });
    // A check that waits for its turn meanwhile does not keep the second of a pair from being made.
    const check = vi
      .advanceTimersByTimeAsync(10)
      .then(() => urgently(() => pace.run(() => crm.call(), signal)));
    expect(await pairs(pace, crm, 20)).toBeLessThan(1_200);
    await check;
    expect(crm.times).toHaveLength(41);
    expect(crm.most()).toBe(1);
    expect(crm.mostWithin(1_000)).toBe(1);
  });

  test('one that is not made after all is another’s', async () => {
    const crm = counting();
    const pace = paceWith(limit(100, 1_000));
    const startedAt = performance.now();
    let doneAt = 0;
    const all = pairs(pace, crm, 200, 200).then(() => performance.now());
    await vi.advanceTimersByTimeAsync(0);
    void pace.run(() => crm.call(), signal).then(() => (doneAt = performance.now()));
    await vi.advanceTimersByTimeAsync(120_000);
    await all;
    expect(doneAt - startedAt).toBeLessThan(2_600);
    expect(crm.mostWithin(1_000)).toBeLessThanOrEqual(100);
  });

  test('a 429 to the first keeps the second from being made', async () => {
    const crm = counting();
    const pace = paceWith(limit(100, 1_000));
    crm.answerWith(429, { 'retry-after': '3' });
    const both = async () => {
      await pace.run(() => crm.call(), signal);
      return pace.run(() => crm.call(), signal);
    };
    const refused = expect(closeTogether(pace, 2, both, signal)).rejects.toMatchObject({ failure: 'paused' });
    await vi.advanceTimersByTimeAsync(10);
    await refused;
    expect(crm.times).toHaveLength(1);
  });

  test('a caller that gives up in between leaves nothing reserved', async () => {
    const crm = counting();
    const pace = paceWith(limit(3, 1_000));
    const gone = new AbortController();
    const both = async () => {
      await pace.run(() => crm.call(), gone.signal);
      gone.abort(new Error('stopping'));
      await pace.run(() => crm.call(), gone.signal);
    };
    await expect(closeTogether(pace, 2, both, gone.signal)).rejects.toThrow('stopping');
    const others = [1, 2, 3, 4].map(() => pace.run(() => crm.call(), signal));
    await vi.advanceTimersByTimeAsync(4_000);
    await Promise.all(others);
    expect(crm.times).toHaveLength(5);
  });
});

test.each([
  [10, 1_000],
  [5, 1_000],
  [2, 1_000],
  [100, 10_000],
  [750, 60_000],
])('a command beside the sinks: together they stay below %d calls in %d ms', async (calls, perMs) => {
  const crm = counting();
  const end = new AbortController();
  const published = limit(calls, perMs);
  const sinks = [0.5, 0.5].map((share) => {
    const pace = paceWith(published);
    pace.setShare(share);
    return pace;
  });
  const beside = paceBeside(published);
  if (!beside) throw new Error('no pace');
  const alone = counting();
  const calling = [
    ...sinks.map((pace) => callOn(pace, crm, end.signal)),
    ...[beside].map(async (pace) => {
      while (!end.signal.aborted) {
        const both = async () => {
          void alone.call();
          return crm.call();
        };
        await pace.run(both, end.signal);
      }
    }),
  ];
  await vi.advanceTimersByTimeAsync(perMs * 12);
  end.abort(new Error('the end'));
  await Promise.allSettled(calling);
  // The average where each of them has less than one call in a window.
  if (calls >= 10) expect(crm.mostWithin(perMs)).toBeLessThanOrEqual(calls);
  else expect(crm.times.length).toBeLessThanOrEqual(calls * 12 + 3);
  expect(alone.times.length).toBeGreaterThan(0);
});

test('of single calls the sinks leave none', () => {
  expect(paceBeside(limit(1, 1_000))).toBeUndefined();
});
