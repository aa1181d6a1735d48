import { type Logger, Registry, type SinkVerdict } from '@email-events/core';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { RecipientState } from './crm.ts';
import { CrmError, errorOfStatus } from './errors.ts';
import { createCrmSink } from './sink.ts';
import { batchOf, recordOf, suppressionOf } from './testing/values.ts';

const { signal } = new AbortController();
const log = { info() {}, warn() {}, error() {} } as unknown as Logger;
const NUL = String.fromCharCode(0);

// The breaker's library reads the clock, too.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A CRM that answers by what it is sent; time passes by a second a write. */
function world(
  answer: (state: RecipientState) => number | 'nothing to do',
  check = async () => {},
  tries = 3,
) {
  const calls: string[] = [];
  const sink = createCrmSink({
    ...{ concurrency: 4, dryRun: false, log, metrics: new Registry() },
    trials: { tries, forMs: 10_000 },
    adapter: {
      name: 'fake',
      check,
      put: async (state) => {
        calls.push(state.suppression.recipient);
        const status = answer(state);
        if (status === 'nothing to do') return 'unchanged';
        const error = errorOfStatus(status, undefined);
        if (error) throw error;
        return 'written';
      },
      close: async () => {},
    },
  });
  return {
    ...{ sink, calls },
    /** Writes again and again, as the runner does, until nothing is to be retried or the time is up. */
    async write(batch: ReturnType<typeof batchOf>, forMs = 120_000): Promise<readonly SinkVerdict[]> {
      for (const end = Date.now() + forMs; ; ) {
        const verdicts = await sink.write(batch, signal);
        vi.setSystemTime(Date.now() + 1_000);
        if (Date.now() >= end || verdicts.every(({ outcome }) => outcome !== 'retry')) return verdicts;
      }
    },
  };
}

const honest = (count: number, from = 0) =>
  Array.from({ length: count }, (_, n) =>
    suppressionOf({ recipient: `p${from + n}@example.com`, event_id: `e${from + n}` }),
  );
const bad = (recipient = 'bad@example.com', event_id = 'bad') => suppressionOf({ recipient, event_id });
const isBad = ({ suppression: { recipient } }: RecipientState) =>
  recipient.startsWith('bad') || recipient.includes(NUL);
const codesOf = (verdicts: readonly SinkVerdict[]) =>
  verdicts.map((verdict) => (verdict.outcome === 'delivered' ? 'ok' : verdict.code));

test.each([
  [401, 'SINK_CRM_REJECTED'],
  [403, 'SINK_CRM_REJECTED'],
  [302, 'SINK_CRM_REJECTED'],
  [500, 'SINK_CRM_RECORD_FAILED'],
  [503, 'SINK_CRM_RECORD_FAILED'],
  [408, 'SINK_CRM_RECORD_FAILED'],
])('a state that alone gets %d becomes a dead letter, and all others arrive', async (status, code) => {
  const { sink, write, calls } = world((state) => (isBad(state) ? status : 200));
  const batch = batchOf(...honest(3), bad(), ...honest(3, 3));
  expect((await sink.write(batch, signal)).map(({ outcome }) => outcome)).toEqual([
    'delivered',
    'delivered',
    'delivered',
    'retry',
    'delivered',
    'delivered',
    'delivered',
  ]);
  const verdicts = await write(batch);
  expect(codesOf(verdicts)).toEqual(['ok', 'ok', 'ok', code, 'ok', 'ok', 'ok']);
  expect(JSON.stringify(verdicts)).not.toContain('example.com');
  expect(verdicts[3]).toMatchObject({ message: expect.stringContaining(`${status}`) });
  expect(sink.problem()).toBeUndefined();
  // A bounded number of calls, and none after the verdict.
  expect(calls.filter((recipient) => recipient.startsWith('bad')).length).toBeLessThan(15);
});

test('many bad states do not hide behind one another', async () => {
  const { write } = world((state) => (isBad(state) ? 500 : 200));
  const states = Array.from({ length: 30 }, (_, n) => bad(`bad${NUL}${n}@example.com`, `bad${n}`));
  const verdicts = await write(batchOf(...states.slice(0, 15), ...honest(2), ...states.slice(15)));
  expect(codesOf(verdicts).filter((code) => code === 'SINK_CRM_RECORD_FAILED')).toHaveLength(30);
  expect(codesOf(verdicts).filter((code) => code === 'ok')).toHaveLength(2);
});

test('many states that a firewall refuses do not pass for bad credentials for long', async () => {
  const { write, sink } = world((state) => (isBad(state) ? 403 : 200));
  const states = Array.from({ length: 20 }, (_, n) => bad(`bad${n}@example.com`, `bad${n}`));
  const verdicts = await write(batchOf(...states, ...honest(12)), 1_200_000);
  expect(codesOf(verdicts)).toEqual([...Array(20).fill('SINK_CRM_REJECTED'), ...Array(12).fill('ok')]);
  expect(sink.problem()).toBeUndefined();
});

test('with nothing to compare it with, a bad state waits; what comes behind it decides', async () => {
  const { write } = world((state) => (isBad(state) ? 500 : 200));
  const suspect = recordOf(bad());
  const alone = { id: 'x', records: [suspect] };
  expect(codesOf(await write(alone, 600_000))[0]).toMatch(/SINK_CRM_(UNAVAILABLE|PAUSED)/);
  const grown = { id: 'x', records: [suspect, ...batchOf(...honest(1)).records] };
  expect(codesOf(await write(grown))).toEqual(['SINK_CRM_RECORD_FAILED', 'ok']);
});

test('a newer state of the same recipient takes its place', async () => {
  const { write } = world((state) => (state.suppression.event_id === 'bad' ? 500 : 200));
  const suspect = recordOf(bad());
  await write({ id: 'x', records: [suspect] }, 5_000);
  const newer = recordOf(bad('bad@example.com', 'mended'));
  expect(codesOf(await write({ id: 'x', records: [suspect, newer] }))).toEqual(['ok', 'ok']);
});

test('a CRM that is down, however long, makes no dead letter, and all arrive when it is back', async () => {
  for (const status of [500, 503, 401, 403, 302]) {
    let down = false;
    const { write } = world(() => (down ? status : 200));
    const batch = batchOf(...honest(5));
    await write(batch);
    down = true;
    const verdicts = await write(batch, 600_000);
    expect(verdicts.every(({ outcome }) => outcome === 'retry')).toBe(true);
    down = false;
    expect(codesOf(await write(batch))).toEqual(Array(5).fill('ok'));
  }
});

test('a CRM that goes down in the middle of a batch makes no dead letter of the rest', async () => {
  let calls = 0;
  let down = true;
  const { write } = world(() => (++calls > 3 && down ? 500 : 200));
  const batch = batchOf(...honest(10));
  const verdicts = await write(batch, 600_000);
  expect(codesOf(verdicts).filter((code) => code === 'ok')).toHaveLength(3);
  expect(verdicts.some(({ outcome }) => outcome === 'dead-letter')).toBe(false);
  down = false;
  expect(codesOf(await write(batch))).toEqual(Array(10).fill('ok'));
});

test.each([500, 503, 401, 403])(
  'states for which nothing is to be done are no proof that a CRM works that answers %d to all writes',
  async (status) => {
    let down = true;
    const done = (state: RecipientState) => /^p[02]@/.test(state.suppression.recipient);
    const { write } = world((state) => (done(state) ? 'nothing to do' : down ? status : 200));
    const batch = batchOf(...honest(4));
    const verdicts = await write(batch, 600_000);
    expect(verdicts.map(({ outcome }) => outcome)).toEqual(['delivered', 'retry', 'delivered', 'retry']);
    down = false;
    expect(codesOf(await write(batch))).toEqual(Array(4).fill('ok'));
  },
);

test.each([500, 403])(
  'a CRM that has taken writes, and goes on answering reads while it answers %d to writes, makes no dead letter',
  async (status) => {
    let down = false;
    const written = new Set<string>();
    const { write } = world((state) => {
      const { recipient } = state.suppression;
      if (written.has(recipient)) return 'nothing to do';
      if (down) return status;
      written.add(recipient);
      return 200;
    });
    const before = batchOf(...honest(6));
    await write(before);
    down = true;
    const grown = { id: 'x', records: [...before.records, ...batchOf(...honest(2, 6)).records] };
    const verdicts = await write(grown, 600_000);
    expect(verdicts.filter(({ outcome }) => outcome === 'dead-letter')).toEqual([]);
    expect(verdicts.slice(6).map(({ outcome }) => outcome)).toEqual(['retry', 'retry']);
    down = false;
    expect(codesOf(await write(grown))).toEqual(Array(8).fill('ok'));
  },
);

test('a CRM that reads first: a bad state waits until enough others were written, and is set aside then', async () => {
  const written = new Set<string>();
  const { write } = world((state) => {
    const { recipient } = state.suppression;
    if (isBad(state)) return 500;
    if (written.has(recipient)) return 'nothing to do';
    written.add(recipient);
    return 200;
  });
  const suspect = recordOf(bad());
  let batch = { id: 'x', records: [suspect] };
  for (let n = 0; n < 3; n++) {
    expect((await write(batch, 20_000))[0]?.outcome).toBe('retry');
    batch = { id: 'x', records: [...batch.records, ...batchOf(...honest(6, n * 6)).records] };
  }
  expect(codesOf(await write(batch, 60_000))[0]).toBe('SINK_CRM_RECORD_FAILED');
});

test('while a check finds the configuration wrong, no state is taken for done', async () => {
  let wrong = true;
  const { write, calls, sink } = world(
    () => 'nothing to do',
    async () => {
      if (wrong) throw new CrmError('misconfigured', 'SINK_CRM_MISCONFIGURED', 'there is no such list');
    },
  );
  const batch = batchOf(...honest(3));
  const verdicts = await write(batch, 60_000);
  expect(verdicts.every(({ outcome }) => outcome === 'retry')).toBe(true);
  expect(calls).toEqual([]);
  expect(sink.problem()).toBe('SINK_CRM_MISCONFIGURED');
  wrong = false;
  expect(codesOf(await write(batch))).toEqual(['ok', 'ok', 'ok']);
  expect(sink.problem()).toBeUndefined();
});

function seeded(): () => number {
  let seed = 7;
  return () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return seed / 2 ** 32;
  };
}

test('what others had written while a write failed now and then is no proof against it', async () => {
  const random = seeded();
  const written = new Set<string>();
  const { sink } = world(
    ({ suppression: { recipient } }) => {
      if (written.has(recipient)) return 'nothing to do';
      if (random() < 0.5) return 500;
      written.add(recipient);
      return 200;
    },
    undefined,
    6,
  );
  let batch = { id: 'x', records: batchOf(...honest(20)).records };
  for (let round = 1; round <= 60; round++) {
    const verdicts = await sink.write(batch, signal);
    expect(verdicts.filter(({ outcome }) => outcome === 'dead-letter')).toEqual([]);
    vi.setSystemTime(Date.now() + 10_000);
    batch = { id: 'x', records: [...batch.records, ...batchOf(...honest(20, round * 20)).records] };
  }
  expect(written.size).toBeGreaterThan(100);
});

test.each([
  [0.3, 'calls'],
  [0.5, 'calls'],
  [0.9, 'calls'],
  [0.3, 'writes, and answers all reads,'],
  [0.5, 'writes, and answers all reads,'],
  [0.9, 'writes, and answers all reads,'],
] as const)('a CRM that fails of a share %d of all %s makes no dead letters', async (share, of) => {
  let seed = 7;
  const random = () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return seed / 2 ** 32;
  };
  const written = new Set<string>();
  const answer = ({ suppression: { recipient } }: RecipientState) => {
    if (of !== 'calls' && written.has(recipient)) return 'nothing to do';
    if (random() < share) return 500;
    written.add(recipient);
    return 200;
  };
  const { sink, write } = world(answer, undefined, 10);
  for (let n = 0; n < 10; n++) {
    const verdicts = await write({ ...batchOf(...honest(20, n * 20)), id: `${n}` }, 600_000);
    expect(verdicts.filter(({ outcome }) => outcome === 'dead-letter')).toEqual([]);
  }
  await sink.close();
});

test('a probe that is refused tells at once that it is the credentials', async () => {
  const refused = async () => {
    throw new CrmError('misconfigured', 'SINK_CRM_UNAUTHORIZED', 'the CRM answered 401');
  };
  const { sink } = world(() => 401, refused);
  expect(await sink.write(batchOf(bad()), signal)).toEqual([
    { outcome: 'retry', code: 'SINK_CRM_UNAUTHORIZED', afterMs: 2_000 },
  ]);
  expect(sink.problem()).toBe('SINK_CRM_UNAUTHORIZED');
});
