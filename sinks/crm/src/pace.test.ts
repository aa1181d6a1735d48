import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { PublishedPace } from './capabilities.ts';
import { paceOf, SharedPace } from './pace.ts';
import { callOn, counting, limit, paceWith } from './testing/counted-calls.ts';
import { urgently } from './turns.ts';

// Time is played, so that what is counted does not depend on the machine.
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const { signal } = new AbortController();
describe.each([
  [300, 1_000, [1], 0.9],
  [300, 1_000, [0.5, 0.5], 0.9],
  [100, 10_000, [0.75, 0.25], 0.9],
  [10, 1_000, [1], 0.85],
  [10, 1_000, [0.5, 0.5], 0.75],
  [5, 1_000, [1], 0.75],
  // Less than one call in a window for each: on the average only.
  [5, 1_000, [0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125], 0.9],
] as const)('%d calls in %d ms, shared %j', (calls, perMs, shares, least) => {
  test('all instances together stay below, and use most of it', async () => {
    const crm = counting();
    const end = new AbortController();
    const paces = shares.map((share) => {
      const pace = paceWith(limit(calls, perMs));
      pace.setShare(share);
      return pace;
    });
    const calling = paces.map((pace) => callOn(pace, crm, end.signal));
    await vi.advanceTimersByTimeAsync(perMs * 12);
    end.abort();
    await vi.advanceTimersByTimeAsync(1_000);
    await Promise.all(calling);
    const most = shares.length < calls ? calls : shares.length;
    expect(crm.mostWithin(perMs)).toBeLessThanOrEqual(most);
    expect(crm.times.length / (calls * 12)).toBeGreaterThan(least);
    expect(crm.times.length / (calls * 12)).toBeLessThanOrEqual(1 + shares.length / (calls * 12));
  });
});

test('all windows hold', async () => {
  const crm = counting();
  const end = new AbortController();
  const pace = paceWith({
    windows: [
      { calls: 75, perMs: 1_000 },
      { calls: 750, perMs: 60_000 },
    ],
  });
  void callOn(pace, crm, end.signal);
  await vi.advanceTimersByTimeAsync(120_000);
  end.abort();
  expect(crm.mostWithin(1_000)).toBeLessThanOrEqual(75);
  expect(crm.mostWithin(60_000)).toBeLessThanOrEqual(750);
  expect(crm.times.length).toBeGreaterThan(1_350);
});

test('partitions that move take their share with them: no call while they move, and never more than the limit', async () => {
  const crm = counting();
  const [a, b] = [paceWith(limit(100, 1_000)), paceWith(limit(100, 1_000))];
  const [endA, endB] = [new AbortController(), new AbortController()];
  void callOn(a, crm, endA.signal, 32);
  await vi.advanceTimersByTimeAsync(3_000);
  // The second joins.
  a.setShare(undefined);
  b.setShare(undefined);
  void callOn(b, crm, endB.signal, 32);
  await vi.advanceTimersByTimeAsync(5);
  const before = crm.times.length;
  await vi.advanceTimersByTimeAsync(200);
  expect(crm.times).toHaveLength(before);
  a.setShare(0.5);
  b.setShare(0.5);
  await vi.advanceTimersByTimeAsync(3_000);
  // The first is killed, and its session ends later.
  endA.abort();
  await vi.advanceTimersByTimeAsync(700);
  b.setShare(undefined);
  b.setShare(1);
  await vi.advanceTimersByTimeAsync(3_000);
  endB.abort();
  expect(crm.mostWithin(1_000)).toBeLessThanOrEqual(100);
  expect(crm.times.length).toBeGreaterThan(100 * 9 * 0.9);
});

test('a stall of the process is not made up for by a burst', async () => {
  const crm = counting();
  let stalled = 0;
  const clock = () => performance.now() + stalled;
  const pace = new SharedPace({ published: limit(100, 1_000), now: Date.now, clock });
  const end = new AbortController();
  void callOn(pace, crm, end.signal, 64);
  await vi.advanceTimersByTimeAsync(2_000);
  stalled = 30_000;
  const before = crm.times.length;
  await vi.advanceTimersByTimeAsync(50);
  end.abort();
  expect(crm.times.length - before).toBeLessThanOrEqual(16);
});

test('calls that stand still on their way, and come all at once, do so below the limit', async () => {
  const crm = counting();
  const pace = paceWith(limit(300, 1_000));
  const end = new AbortController();
  // For a fifth of a second every now and then nothing gets through, either way.
  const begunAt = performance.now();
  const way = () => {
    const left = ((performance.now() - begunAt) % 1_300) - 1_100;
    return new Promise((resolve) => setTimeout(resolve, left > 0 ? 200 - left : 2));
  };
  const slowly = {
    call: async () => {
      await way();
      const answer = await crm.call(5);
      await way();
      return answer;
    },
  };
  const calling = callOn(pace, slowly, end.signal, 96);
  await vi.advanceTimersByTimeAsync(20_000);
  end.abort();
  await vi.advanceTimersByTimeAsync(1_000);
  await calling;
  expect(crm.mostWithin(1_000)).toBeLessThanOrEqual(300);
  expect(crm.times.length).toBeGreaterThan(300 * 20 * 0.8);
});

test('calls that always take longer than others are late for no other reason', async () => {
  const crm = counting();
  const pace = paceWith(limit(300, 1_000));
  const end = new AbortController();
  const lane = async () => {
    while (!end.signal.aborted) {
      await pace.run(() => crm.call(20), end.signal, 'GET');
      await pace.run(() => crm.call(400), end.signal, 'PUT');
    }
  };
  const calling = Promise.allSettled(Array.from({ length: 96 }, lane));
  await vi.advanceTimersByTimeAsync(20_000);
  end.abort();
  await vi.advanceTimersByTimeAsync(1_000);
  await calling;
  expect(crm.times.length).toBeGreaterThan(300 * 20 * 0.9);
});

test('a CRM that takes now more and now less time is still called nearly as often as it may be', async () => {
  const crm = counting();
  const pace = paceWith(limit(300, 1_000));
  const end = new AbortController();
  let calls = 0;
  const calling = callOn(pace, { call: () => crm.call(40 + (++calls % 5) * 30) }, end.signal, 96);
  await vi.advanceTimersByTimeAsync(20_000);
  end.abort();
  await vi.advanceTimersByTimeAsync(1_000);
  await calling;
  expect(crm.times.length).toBeGreaterThan(300 * 20 * 0.85);
});

test('a share that gets smaller and larger again forgets no call', async () => {
  const crm = counting();
  const end = new AbortController();
  const pace = paceWith(limit(100, 1_000));
  // So that some were late, which are made up for.
  await vi.advanceTimersByTimeAsync(200);
  void callOn(pace, crm, end.signal, 32);
  await vi.advanceTimersByTimeAsync(500);
  for (const share of [undefined, 0.01, undefined, 1]) pace.setShare(share);
  await vi.advanceTimersByTimeAsync(500);
  end.abort();
  expect(crm.times.length).toBeGreaterThan(90);
  expect(crm.mostWithin(1_000)).toBeLessThanOrEqual(95);
});

test('a check goes before the writes that wait', async () => {
  const crm = counting();
  const pace = paceWith(limit(2, 1_000));
  const order: string[] = [];
  const call = (name: string) => {
    const make = () => {
      order.push(name);
      return crm.call();
    };
    return pace.run(make, signal);
  };
  const writes = Array.from({ length: 20 }, (_, n) => call(`write ${n}`));
  await vi.advanceTimersByTimeAsync(10);
  const check = urgently(async () => {
    await call('check');
    await call('check too');
  });
  await vi.advanceTimersByTimeAsync(60_000);
  await Promise.all([...writes, check]);
  expect(order.slice(0, 4)).toEqual(['write 0', 'check', 'check too', 'write 1']);
});

test('after a 429 nobody is called for as long as it says', async () => {
  const crm = counting();
  const pace = paceWith(limit(100, 1_000));
  crm.answerWith(429, { 'retry-after': '7' });
  expect(await pace.run(() => crm.call(), signal)).toMatchObject({ status: 429 });
  crm.answerWith(200);
  await vi.advanceTimersByTimeAsync(6_000);
  await expect(pace.run(() => crm.call(), signal)).rejects.toMatchObject({
    ...{ failure: 'paused', code: 'SINK_CRM_THROTTLED', afterMs: 1_000 },
  });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await pace.run(() => crm.call(), signal)).toMatchObject({ status: 200 });
  expect(crm.times).toHaveLength(2);
});

test('what waits for its turn is told of a 429 at once, rather than to wait it out', async () => {
  const crm = counting();
  const pace = paceWith(limit(2, 1_000));
  const first = pace.run(() => crm.call(100), signal);
  const second = pace.run(() => crm.call(), signal);
  const refused = expect(second).rejects.toMatchObject({ failure: 'paused' });
  crm.answerWith(429, {});
  await vi.advanceTimersByTimeAsync(100);
  await Promise.all([first, refused]);
  expect(crm.times).toHaveLength(1);
});

test('nothing is called between “none left” and the reset, since others use the account too', async () => {
  const crm = counting();
  const pace = paceWith({ ...limit(100, 1_000), headers: { remaining: 'x-left', reset: 'x-reset' } });
  crm.answerWith(200, { 'x-left': '0', 'x-reset': '4' });
  await pace.run(() => crm.call(), signal);
  crm.answerWith(200, { 'x-left': '50', 'x-reset': '10' });
  const next = pace.run(() => crm.call(), signal);
  await vi.advanceTimersByTimeAsync(3_900);
  expect(crm.times).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(200);
  await next;
  expect(crm.times).toHaveLength(2);
});

test('calls at a time: an instance has its share, one at least', async () => {
  const crm = counting();
  const pace = paceWith({ ...limit(1_000, 1_000), concurrency: 10 });
  for (const [share, most] of [
    [0.01, 1],
    [0.5, 5],
    [1, 10],
  ] as const) {
    pace.setShare(share);
    const calls = Array.from({ length: 40 }, () => pace.run(() => crm.call(200), signal));
    await vi.advanceTimersByTimeAsync(60_000);
    await Promise.all(calls);
    expect(crm.most()).toBe(most);
  }
});

test('an instance without a partition makes a check now and then', async () => {
  const crm = counting();
  const pace = paceWith(limit(100, 1_000));
  pace.setShare(0);
  const checks = Array.from({ length: 3 }, () => pace.run(() => crm.call(), signal));
  await vi.advanceTimersByTimeAsync(3_500);
  await Promise.all(checks);
  expect(crm.mostWithin(1_000)).toBe(1);
  // Of a longer window too, or a check of two calls would take ten seconds.
  const slow = paceWith(limit(100, 10_000));
  slow.setShare(0);
  const two = [1, 2].map(() => slow.run(() => crm.call(), signal));
  await vi.advanceTimersByTimeAsync(2_500);
  await Promise.all(two);
});

test('one that gives up waiting makes no call, and takes no turn', async () => {
  const crm = counting();
  const pace = paceWith(limit(1, 1_000));
  await pace.run(() => crm.call(), signal);
  const gone = new AbortController();
  const given = expect(pace.run(() => crm.call(), gone.signal)).rejects.toBe('no more');
  const next = pace.run(() => crm.call(), signal);
  gone.abort('no more');
  await given;
  await vi.advanceTimersByTimeAsync(1_100);
  await next;
  expect(crm.times).toHaveLength(2);
  await expect(pace.run(() => crm.call(), gone.signal)).rejects.toBe('no more');
});

test('a call that fails gives its place to the next', async () => {
  const pace = paceWith({ ...limit(1_000, 1_000), concurrency: 1 });
  const failing = pace.run(() => Promise.reject(new Error('cut')), signal);
  const next = pace.run(async () => ({ status: 200, headers: {} }), signal);
  await expect(failing).rejects.toThrow('cut');
  await vi.advanceTimersByTimeAsync(10);
  expect(await next).toMatchObject({ status: 200 });
});

test('the operator’s rate is instead of what is published; without either there is no pace', () => {
  const published: PublishedPace = { ...limit(100, 10_000), concurrency: 3 };
  expect(paceOf(published, undefined)).toBe(published);
  expect(paceOf(undefined, undefined)).toBeUndefined();
  expect(paceOf(published, 50)).toEqual({ windows: [{ calls: 50, perMs: 1_000 }], concurrency: 3 });
  expect(paceOf(undefined, 0.5)).toEqual({ windows: [{ calls: 1, perMs: 2_000 }] });
  expect(paceOf(undefined, 2.5)).toEqual({ windows: [{ calls: 2, perMs: 800 }] });
});
