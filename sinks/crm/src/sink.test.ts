import { type Logger, Registry, type SinkVerdict } from '@email-events/core';
import { expect, test, vi } from 'vitest';
import type { CrmAdapter, RecipientState } from './crm.ts';
import { CrmError, errorOfStatus } from './errors.ts';
import { type CrmSinkOptions, createCrmSink } from './sink.ts';
import { batchOf, recordOf, suppressionOf } from './testing/values.ts';

const { signal } = new AbortController();
const DELIVERED = { outcome: 'delivered' };

type Put = (state: RecipientState, signal: AbortSignal) => Promise<unknown> | unknown;

/** A sink over a CRM that does what `put` says; its log lines as JSON. */
function setUp(
  put: Put,
  { check = async () => {}, ...options }: Partial<CrmSinkOptions> & Partial<Pick<CrmAdapter, 'check'>> = {},
) {
  const lines: string[] = [];
  const note = (...all: unknown[]) => lines.push(JSON.stringify(all));
  const log = { info: note, warn: note, error: note } as unknown as Logger;
  const put_ = vi.fn(put);
  const adapter: CrmAdapter = {
    name: 'fake',
    check,
    put: async (state, abort) => ((await put_(state, abort)) as 'written' | undefined) ?? 'written',
    close: async () => {},
  };
  const metrics = new Registry();
  const sink = createCrmSink({ adapter, concurrency: 4, dryRun: false, log, metrics, ...options });
  const metric = async (name: string, outcome?: string) =>
    (await metrics.getSingleMetric(name)?.get())?.values.find(
      ({ labels }) => outcome === undefined || labels.outcome === outcome,
    )?.value;
  return { sink, put: put_, lines, metric };
}

const status = (code: number, afterMs?: number) => () => {
  throw errorOfStatus(code, afterMs);
};
const people = (count: number) =>
  Array.from({ length: count }, (_, i) =>
    suppressionOf({ recipient: `p${i}@example.com`, event_id: `e${i}` }),
  );

test('an empty batch needs nothing', async () => {
  const { sink, put } = setUp(() => {});
  expect(await sink.write(batchOf(), signal)).toEqual([]);
  expect(put).not.toHaveBeenCalled();
});

test('only the newest state of a recipient is sent', async () => {
  const { sink, put, metric } = setUp(() => {});
  const old = suppressionOf({ event_id: 'old', suppressed: false });
  const other = suppressionOf({ recipient: 'b@example.com' });
  const now = suppressionOf({ event_id: 'new', changed_at: 900 });
  expect(await sink.write(batchOf(old, other, now), signal)).toEqual([DELIVERED, DELIVERED, DELIVERED]);
  expect(put.mock.calls.map(([{ suppression }]) => suppression.event_id).sort()).toEqual(['event-1', 'new']);
  expect(await metric('email_events_crm_calls_total', 'superseded')).toBe(1);
  expect(await metric('email_events_crm_calls_total', 'written')).toBe(2);
});

test('the verdict of a recipient belongs to its newest record', async () => {
  const { sink } = setUp(status(422));
  const verdicts = await sink.write(batchOf(suppressionOf({ event_id: 'old' }), suppressionOf()), signal);
  expect(verdicts).toEqual([
    DELIVERED,
    { outcome: 'dead-letter', code: 'SINK_CRM_REJECTED', message: 'the CRM answered 422' },
  ]);
});

test('one bad record does not touch the others', async () => {
  const { sink } = setUp(({ suppression }) => {
    if (suppression.recipient.startsWith('p1@')) throw errorOfStatus(400, undefined);
  });
  const outcomes = (await sink.write(batchOf(...people(3)), signal)).map(({ outcome }) => outcome);
  expect(outcomes).toEqual(['delivered', 'dead-letter', 'delivered']);
});

test('a batch that is retried goes on where it was, and keeps its dead letters', async () => {
  const toWrite = people(30);
  let [left, now] = [10, 0];
  const { sink, put, metric } = setUp(
    ({ suppression: { recipient } }) => {
      if (left-- <= 0) throw errorOfStatus(429, undefined);
      if (recipient === 'p3@example.com') throw errorOfStatus(400, undefined);
    },
    { now: () => now },
  );
  const batch = batchOf(...toWrite, suppressionOf({ recipient: 'p0@example.com', event_id: 'newer' }));
  let verdicts: readonly SinkVerdict[] = [];
  for (let attempt = 0; attempt < 3; attempt++) {
    left = 10;
    now += 60_000;
    verdicts = await sink.write(batch, signal);
    expect(verdicts.filter(({ outcome }) => outcome === 'retry')).toHaveLength(20 - attempt * 10);
  }
  expect(verdicts.map(({ outcome }) => outcome)).toEqual(
    batch.records.map(({ key }) => (key === 'p3@example.com' ? 'dead-letter' : 'delivered')),
  );
  expect(await metric('email_events_crm_calls_total', 'written')).toBe(29);
  expect(await metric('email_events_crm_calls_total', 'superseded')).toBe(1);
  // A batch that is done is forgotten: after a crash it may come again.
  left = 30;
  now += 60_000;
  const calls = put.mock.calls.length;
  await sink.write(batch, signal);
  expect(put).toHaveBeenCalledTimes(calls + 30);
});

test('what a throwing attempt had delivered is not sent again', async () => {
  let bug = true;
  const { sink, metric } = setUp(({ suppression: { recipient } }) => {
    if (bug && recipient === 'p1@example.com') throw new TypeError('bug');
  });
  const batch = batchOf(...people(2));
  await expect(sink.write(batch, signal)).rejects.toThrow(TypeError);
  bug = false;
  expect(await sink.write(batch, signal)).toEqual([DELIVERED, DELIVERED]);
  expect(await metric('email_events_crm_calls_total', 'written')).toBe(2);
});

test('an erased recipient is not told to the CRM', async () => {
  const { sink, put } = setUp(() => {});
  const records = [recordOf(suppressionOf()), recordOf(null, 'ada@example.com')];
  expect(await sink.write({ id: 'b', records }, signal)).toEqual([DELIVERED, DELIVERED]);
  expect(put).not.toHaveBeenCalled();
});

test('the state carries when it was recorded', async () => {
  const { sink, put } = setUp(() => {});
  await sink.write({ id: 'b', records: [{ ...recordOf(suppressionOf()), timestamp: 77 }] }, signal);
  expect(put.mock.calls[0]?.[0]).toEqual({ suppression: suppressionOf(), recordedAt: 77 });
});

test('calls are bounded over all batches, and one at a time for a recipient', async () => {
  let running = 0;
  let most = 0;
  const together = new Set<string>();
  const { sink } = setUp(async ({ suppression: { recipient } }) => {
    expect(together.has(recipient)).toBe(false);
    together.add(recipient);
    most = Math.max(most, ++running);
    await new Promise(setImmediate);
    running--;
    together.delete(recipient);
  });
  const batches = [10, 1, 1].map((count, id) =>
    sink.write({ ...batchOf(...people(count)), id: `${id}` }, signal),
  );
  expect((await Promise.all(batches)).flat()).toEqual(Array(12).fill(DELIVERED));
  expect(most).toBe(4);
});

test('credentials that are refused: what they must be allowed is said, but not of a redirect', async () => {
  for (const [code, says] of [
    [403, true],
    [302, false],
  ] as const) {
    const { sink, lines } = setUp(status(code), { scopes: ['contacts.write', 'lists.read'] });
    await sink.write(batchOf(...people(2)), signal);
    expect(lines.join().includes('the credentials need contacts.write, lists.read')).toBe(says);
  }
});

test('what a check finds wrong is said before there is any state, and once', async () => {
  let wrong: CrmError | undefined = new CrmError(
    'misconfigured',
    'SINK_CRM_MISCONFIGURED',
    'there is no list 7',
  );
  const check = async () => {
    if (wrong) throw wrong;
  };
  const { sink, lines } = setUp(() => {}, { check });
  for (let n = 0; n < 3; n++) await expect(sink.check(signal)).rejects.toThrow('there is no list 7');
  expect(lines).toEqual([
    expect.stringContaining('there is no list 7: nothing is sent until this is put right'),
  ]);
  expect(sink.problem()).toBeUndefined();
  wrong = undefined;
  await sink.check(signal);
  expect(await sink.write(batchOf(suppressionOf()), signal)).toEqual([DELIVERED]);
});

test('429 waits as long as it says, for every recipient, without opening the breaker', async () => {
  let now = 0;
  const { sink, put, metric } = setUp(status(429, 500), { now: () => now, concurrency: 1, breakAfter: 2 });
  const all = await sink.write(batchOf(...people(3)), signal);
  expect(all).toEqual(Array(3).fill({ outcome: 'retry', code: 'SINK_CRM_THROTTLED', afterMs: 500 }));
  expect(put).toHaveBeenCalledTimes(1);
  now = 200;
  const [early] = await sink.write(batchOf(suppressionOf()), signal);
  expect(early).toMatchObject({ outcome: 'retry', afterMs: 300 });
  expect(put).toHaveBeenCalledTimes(1);
  for (let i = 0; i < 10; i++) {
    now += 500;
    await sink.write(batchOf(suppressionOf()), signal);
  }
  expect(put).toHaveBeenCalledTimes(11);
  expect(sink.problem()).toBeUndefined();
  expect(await metric('email_events_crm_breaker_state')).toBe(0);
});

test('429 that does not say how long: by chance, longer each time, without opening the breaker', async () => {
  let now = 0;
  let over = true;
  const { sink, put, metric } = setUp(
    () => {
      if (over) throw errorOfStatus(429, undefined);
    },
    { now: () => now, concurrency: 1, breakAfter: 2 },
  );
  const waits: number[] = [];
  for (let i = 0; i < 40; i++) {
    const [verdict] = await sink.write(batchOf(suppressionOf()), signal);
    if (verdict?.outcome !== 'retry') throw new Error('no retry');
    const { afterMs = Number.NaN } = verdict;
    expect(afterMs).toBeGreaterThan(0);
    expect(afterMs).toBeLessThanOrEqual(Math.min(60_000, 1_000 * 2 ** i));
    // Nobody else is called meanwhile.
    const other = await sink.write(batchOf(suppressionOf({ recipient: 'b@example.com' })), signal);
    expect(other).toEqual([{ outcome: 'retry', code: 'SINK_CRM_THROTTLED', afterMs }]);
    waits.push(afterMs);
    now += afterMs;
  }
  expect(put).toHaveBeenCalledTimes(40);
  expect(new Set(waits.slice(10)).size).toBeGreaterThan(20);
  expect(Math.max(...waits)).toBeGreaterThan(20_000);
  expect(sink.problem()).toBeUndefined();
  expect(await metric('email_events_crm_breaker_state')).toBe(0);
  over = false;
  expect(await sink.write(batchOf(suppressionOf()), signal)).toEqual([DELIVERED]);
});

test.each([429, 503])(
  '%d that says to wait no time at all is not asked again at once for ever',
  async (code) => {
    let now = 0;
    const { sink, put } = setUp(status(code, 0), { now: () => now, concurrency: 1, breakAfter: 1_000 });
    let asked = 0;
    const waits: number[] = [];
    for (; asked < 30; asked++) {
      const [verdict] = await sink.write(batchOf(suppressionOf()), signal);
      if (verdict?.outcome !== 'retry') throw new Error('no retry');
      // Without a time of its own, the runner's waits apply, which grow.
      const { afterMs = code === 429 ? Number.NaN : 100 } = verdict;
      expect(afterMs).toBeGreaterThan(0);
      expect(afterMs).toBeLessThanOrEqual(Math.min(60_000, 100 * 2 ** asked));
      waits.push(afterMs);
      now += afterMs;
    }
    expect(put).toHaveBeenCalledTimes(30);
    if (code === 429) expect(Math.max(...waits)).toBeGreaterThan(10_000);
  },
);

test('a CRM that keeps failing is left alone and tried again by one call', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: 1_000_000 });
  try {
    let down = true;
    const { sink, put, metric } = setUp(
      () => {
        if (down) throw errorOfStatus(500, undefined);
      },
      { breakAfter: 3, breakMs: 5_000, concurrency: 1 },
    );
    const verdicts = await sink.write(batchOf(...people(6)), signal);
    const open: SinkVerdict = { outcome: 'retry', code: 'SINK_CRM_PAUSED', afterMs: 5_000 };
    expect(verdicts.slice(0, 3)).toEqual(Array(3).fill({ outcome: 'retry', code: 'SINK_CRM_UNAVAILABLE' }));
    expect(verdicts.slice(3)).toEqual([open, open, open]);
    expect(put).toHaveBeenCalledTimes(3);
    expect(sink.problem()).toBe('SINK_CRM_PAUSED');
    await expect(sink.check(signal)).rejects.toMatchObject({ code: 'SINK_CRM_PAUSED' });
    expect(await metric('email_events_crm_breaker_state')).toBe(2);

    vi.setSystemTime(1_005_000);
    await sink.write(batchOf(...people(6)), signal);
    expect(put).toHaveBeenCalledTimes(4);

    vi.setSystemTime(1_010_000);
    down = false;
    expect(await sink.write(batchOf(...people(6)), signal)).toEqual(Array(6).fill(DELIVERED));
    expect(sink.problem()).toBeUndefined();
    expect(await metric('email_events_crm_breaker_state')).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test.each([
  [401, 'SINK_CRM_UNAUTHORIZED'],
  [403, 'SINK_CRM_UNAUTHORIZED'],
  [302, 'SINK_CRM_REDIRECTED'],
])(
  '%d to a second record stops the calls, says so once, and tries again ever more slowly',
  async (code, expected) => {
    let now = 0;
    let refuses = true;
    const { sink, put, lines, metric } = setUp(
      () => {
        if (refuses) throw errorOfStatus(code, undefined);
      },
      { now: () => now, concurrency: 1 },
    );
    const batch = batchOf(...people(20));
    const [first, ...others] = await sink.write(batch, signal);
    expect(first).toEqual({ outcome: 'retry', code: expected });
    expect(others).toEqual(Array(19).fill({ outcome: 'retry', code: expected, afterMs: 2_000 }));
    expect(put).toHaveBeenCalledTimes(2);
    expect(sink.problem()).toBe(expected);
    await expect(sink.check(signal)).rejects.toMatchObject({ code: expected });
    expect(await metric('email_events_crm_refused')).toBe(1);

    const tries: number[] = [];
    for (; now < 300_000; now += 1_000) {
      const before = put.mock.calls.length;
      const verdicts = await sink.write(batch, signal);
      expect(new Set(verdicts.map(({ outcome }) => outcome))).toEqual(new Set(['retry']));
      if (put.mock.calls.length > before) tries.push(now);
    }
    expect(tries).toEqual([2_000, 6_000, 14_000, 30_000, 62_000, 122_000, 182_000, 242_000]);
    expect(lines.filter((line) => line.includes('put right'))).toHaveLength(1);

    now = 600_000;
    refuses = false;
    for (let n = 0; n < 2; n++) await sink.write(batch, signal);
    expect(await sink.write(batch, signal)).toEqual(Array(20).fill(DELIVERED));
    expect(sink.problem()).toBeUndefined();
    await sink.check(signal);
    expect(await metric('email_events_crm_refused')).toBe(0);
  },
);

test('a stopping runner gets its records back to be retried', async () => {
  const stop = new AbortController();
  const { sink, put, metric } = setUp(
    (_state, abort) => {
      stop.abort();
      abort.throwIfAborted();
    },
    { concurrency: 1 },
  );
  const verdicts = await sink.write(batchOf(...people(3)), stop.signal);
  expect(verdicts).toEqual(Array(3).fill({ outcome: 'retry', code: 'SINK_UNAVAILABLE' }));
  expect(put).toHaveBeenCalledTimes(1);
  expect(await metric('email_events_crm_breaker_state')).toBe(0);
});

test('an unforeseen error is thrown, not judged', async () => {
  const { sink } = setUp(() => {
    throw new TypeError('bug');
  });
  await expect(sink.write(batchOf(suppressionOf()), signal)).rejects.toThrow(TypeError);
});

test('a dry run makes no calls and logs no addresses', async () => {
  const { sink, put, lines, metric } = setUp(() => {}, { dryRun: true });
  const batch = batchOf(...people(3), suppressionOf({ suppressed: false }));
  expect(await sink.write(batch, signal)).toEqual(Array(4).fill(DELIVERED));
  expect(put).not.toHaveBeenCalled();
  expect(lines.join()).toContain('{"recipients":4,"suppressed":3}');
  expect(await metric('email_events_crm_calls_total', 'dry_run')).toBe(4);
});

test('no log line holds an address', async () => {
  for (const failure of [status(422), status(401), status(500)]) {
    const { sink, lines } = setUp(failure, { breakAfter: 1 });
    await sink.write(batchOf(...people(2)), signal);
    expect(lines).not.toEqual([]);
    expect(lines.join()).not.toMatch(/@|example/);
  }
});

test('age of the newest state is known once there is one', async () => {
  let now = 10_000;
  const { sink, metric } = setUp(() => {}, { now: () => now });
  expect(await metric('email_events_crm_newest_state_age_seconds')).toBeUndefined();
  await sink.write(batchOf(suppressionOf({ changed_at: 8_000 })), signal);
  await sink.write(batchOf(suppressionOf({ recipient: 'b@example.com', changed_at: 5_000 })), signal);
  now = 11_000;
  expect(await metric('email_events_crm_newest_state_age_seconds')).toBe(3);
});

test('a write that does not hold is tried again', async () => {
  const { sink } = setUp(() => {
    throw new CrmError('unverified', 'SINK_CRM_UNVERIFIED', 'read back differs');
  });
  expect(await sink.write(batchOf(suppressionOf()), signal)).toEqual([
    { outcome: 'retry', code: 'SINK_CRM_UNVERIFIED' },
  ]);
});
