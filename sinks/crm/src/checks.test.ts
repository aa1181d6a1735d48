import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CrmChecks } from './checks.ts';
import { CrmError, errorOfStatus } from './errors.ts';
import { SharedPace } from './pace.ts';

// Time is played.
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const { signal } = new AbortController();
const OK = { status: 200, headers: {} };

/** Checks of so many calls, of a CRM that takes so many a second. */
function setUp({ calls = 2, perSecond = 5 } = {}) {
  const published = { windows: [{ calls: perSecond, perMs: 1_000 }] } as const;
  const pace = new SharedPace({ published, now: Date.now });
  const ends: unknown[] = [];
  const crm = {
    checks: 0,
    wroteAt: Number.NEGATIVE_INFINITY,
    fault: undefined as Error | undefined,
    hangs: false,
  };
  const checks = new CrmChecks({
    adapter: {
      async check(given) {
        crm.checks += 1;
        for (let n = 0; n < calls; n++) await pace.run(async () => OK, given);
        if (crm.hangs)
          await new Promise((_, reject) => given.addEventListener('abort', () => reject(given.reason)));
        if (crm.fault) throw crm.fault;
      },
    },
    now: Date.now,
    isWaiting: () => pace.isWaiting,
    wroteAt: () => crm.wroteAt,
    onEnd: (error) => ends.push(error),
  });
  const backlog = (writes: number) => {
    for (let n = 0; n < writes; n++) void pace.run(async () => OK, signal);
  };
  /** What becomes of a check within so many milliseconds. */
  const within = async (ms: number, by = signal) => {
    const outcome = checks.check(by).then(
      () => 'passed',
      (error: Error) => error.message,
    );
    const end = vi.advanceTimersByTimeAsync(ms).then(() => 'no answer');
    return Promise.race([outcome, end]);
  };
  return { crm, checks, ends, backlog, within };
}

test('a check does not wait behind a backlog of writes', async () => {
  const { backlog, within } = setUp();
  backlog(10_000);
  expect(await within(1_500)).toBe('passed');
});

test('while writes are taken they tell as much, and a check is made once a minute', async () => {
  const { crm, within } = setUp();
  expect(await within(1_500)).toBe('passed');
  for (let n = 0; n < 26; n++) {
    await vi.advanceTimersByTimeAsync(5_000);
    crm.wroteAt = Date.now();
    expect(await within(0)).toBe('passed');
  }
  expect(crm.checks).toBe(3);
});

test('where it waits for its turn all the same, the one before it tells; the first one must be made', async () => {
  const { crm, within } = setUp({ calls: 3, perSecond: 1 });
  expect(await within(1_900)).toBe('no answer');
  expect(await within(5_000)).toBe('passed');
  crm.fault = new CrmError('unavailable', 'SINK_CRM_UNAVAILABLE', 'down');
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await within(2_500)).toBe('passed');
  // Its outcome is known once it had its turn.
  await vi.advanceTimersByTimeAsync(3_000);
  expect(await within(5_000)).toBe('down');
});

test('what the CRM refuses of a check, it refuses of no record: it is the configuration', async () => {
  const { crm, checks, ends } = setUp();
  crm.fault = errorOfStatus(404, undefined);
  const check = expect(checks.check(signal)).rejects.toMatchObject({
    ...{ failure: 'misconfigured', code: 'SINK_CRM_REJECTED', disposition: 'retry' },
    message: 'the CRM answered 404',
  });
  await vi.advanceTimersByTimeAsync(1_500);
  await check;
  expect(ends).toEqual([expect.objectContaining({ failure: 'misconfigured' })]);
});

test('one is made for all that ask, and those that give up take it from no other', async () => {
  const { crm, checks } = setUp({ perSecond: 2 });
  const gone = new AbortController();
  const first = expect(checks.check(gone.signal)).rejects.toThrow('gone');
  const second = checks.check(signal);
  gone.abort(new Error('gone'));
  await first;
  await vi.advanceTimersByTimeAsync(3_000);
  await second;
  expect(crm.checks).toBe(1);
});

test('one that has no end is given up, and the next one is another', async () => {
  const { crm, ends, within } = setUp();
  crm.hangs = true;
  expect(await within(25_000)).toBe('a check had no answer in time');
  crm.hangs = false;
  expect(await within(2_000)).toBe('passed');
  expect(ends).toEqual([expect.objectContaining({ code: 'SINK_CRM_TIMEOUT' }), undefined]);
});
