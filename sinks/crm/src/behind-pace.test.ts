import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BehindPace } from './behind-pace.ts';
import { SharedPace } from './pace.ts';
import { counting, limit } from './testing/counted-calls.ts';
import { closeTogether } from './turns.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] }));
afterEach(() => void vi.useRealTimers());

const { signal } = new AbortController();

function setUp() {
  const published = limit(100, 1_000);
  const pace = new SharedPace({ published, now: Date.now });
  const account = {
    own: pace,
    headers: {},
    run: pace.run.bind(pace),
    together: pace.together.bind(pace),
  };
  return { pace, behind: new BehindPace(account, published, 0.2) };
}

async function callFor(pace: Pick<SharedPace, 'run'>, crm: ReturnType<typeof counting>, until: AbortSignal) {
  const lane = async () => {
    while (!until.aborted) await pace.run(() => crm.call(5), until);
  };
  await Promise.allSettled(Array.from({ length: 40 }, lane));
}

test('stays below its part of the limit, however much there is to do', async () => {
  const { behind } = setUp();
  const [crm, end] = [counting(), new AbortController()];
  const calls = callFor(behind, crm, end.signal);
  await vi.advanceTimersByTimeAsync(10_000);
  end.abort();
  await vi.advanceTimersByTimeAsync(2_000);
  await calls;
  expect(crm.mostWithin(1_000)).toBeLessThanOrEqual(20);
  expect(crm.times.length).toBeGreaterThan(150);
});

test('while others wait it makes no call; together they stay below the limit', async () => {
  const { pace, behind } = setUp();
  const [first, last, end] = [counting(), counting(), new AbortController()];
  const calls = [callFor(pace, first, end.signal), callFor(behind, last, end.signal)];
  await vi.advanceTimersByTimeAsync(10_000);
  end.abort();
  await vi.advanceTimersByTimeAsync(2_000);
  await Promise.all(calls);
  // So many lanes always leave one that waits.
  expect(last.times.length).toBe(0);
  expect(first.times.length).toBeGreaterThan(850);
});

test('a read and its write count as two calls of its part', async () => {
  const { behind } = setUp();
  const [crm, end] = [counting(), new AbortController()];
  const both = async () => {
    while (!end.signal.aborted)
      await closeTogether(
        behind,
        2,
        async () => {
          await behind.run(() => crm.call(1), signal);
          await behind.run(() => crm.call(1), signal);
        },
        end.signal,
      );
  };
  const work = Promise.allSettled([both(), both(), both()]);
  await vi.advanceTimersByTimeAsync(10_000);
  end.abort();
  await vi.advanceTimersByTimeAsync(2_000);
  await work;
  expect(crm.mostWithin(1_000)).toBeLessThanOrEqual(21);
  expect(crm.times.length).toBeGreaterThan(150);
});
