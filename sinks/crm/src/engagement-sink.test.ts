import { type Logger, Registry, type SinkRecord } from '@email-events/core';
import type { EmailEvent } from '@email-events/schemas';
import { expect, test } from 'vitest';
import type { Engagement, EngageResult } from './engagement.ts';
import { createEngagementSink, type EngagementRecord } from './engagement-sink.ts';
import { CrmError } from './errors.ts';

const { signal } = new AbortController();

function recordOf(type: string, recipient: string, second: number, more = {}): SinkRecord<EngagementRecord> {
  const value = { recipient, occurred_at: second, received_at: second, source: 'postmark', ...more };
  return {
    topic: `email.events.${type}`,
    key: recipient,
    value: value as unknown as EmailEvent,
    timestamp: second,
    attempts: 0,
  };
}

const tombstone = (recipient: string, timestamp: number): SinkRecord<EngagementRecord> => ({
  ...{ topic: 'email.suppressions', key: recipient, value: null, timestamp, attempts: 0 },
});

function setUp({ answer = (_: Engagement): EngageResult => 'written', dryRun = false } = {}) {
  const told: Engagement[] = [];
  const metrics = new Registry();
  const lines: unknown[] = [];
  const note = (line: unknown) => void lines.push(line);
  const log = { info() {}, error: note, warn: note } as unknown as Logger;
  const stop = new AbortController();
  let [waits, now] = [false, 1_000_000];
  const sink = createEngagementSink({
    adapter: {
      check: async () => {},
      async engage(engagement) {
        told.push(engagement);
        return answer(engagement);
      },
      close: async () => {},
    },
    ...{ name: 'shop', concurrency: 4, dryRun, log, metrics, now: () => now },
    suppressionsWait: () => waits,
    stopped: stop.signal,
    breakAfter: 1_000,
    giveUp: { tries: 3, forMs: 10_000 },
  });
  const write = (...records: SinkRecord<EngagementRecord>[]) => sink.write({ id: 'batch', records }, signal);
  const count = async (outcome: string) =>
    (await metrics.getSingleMetric('email_events_crm_engagement_total')?.get())?.values.find(
      ({ labels }) => labels.outcome === outcome,
    )?.value;
  return {
    ...{ told, write, count, stop, lines },
    suppressionsWait: (value: boolean) => {
      waits = value;
    },
    pass: (ms: number) => {
      now += ms;
    },
  };
}

test('of a batch a recipient is told once, with the newest of each instant, and without what machines did', async () => {
  const { told, write, count } = setUp();
  const verdicts = await write(
    recordOf('opened', 'ada', 5),
    recordOf('delivered', 'ada', 3),
    recordOf('opened', 'bob', 9, { is_machine: true }),
    recordOf('opened', 'ada', 4),
    recordOf('clicked', 'ada', 6, { is_machine: false }),
  );
  expect(verdicts.map(({ outcome }) => outcome)).toEqual(Array(5).fill('delivered'));
  expect(told).toEqual([{ recipient: 'ada', instants: { opened: 5, delivered: 3, clicked: 6 } }]);
  expect([await count('written'), await count('coalesced'), await count('machine')]).toEqual([1, 3, 1]);
});

test('an event from the future counts as when it was received', async () => {
  const { told, write } = setUp();
  await write(recordOf('opened', 'ada', 5, { occurred_at: 99 }));
  expect(told).toEqual([{ recipient: 'ada', instants: { opened: 5 } }]);
});

test('of an erased recipient nothing from before is told, in this batch and later, but what is new', async () => {
  const { told, write, count } = setUp();
  await write(recordOf('opened', 'ada', 5), tombstone('ada', 6), recordOf('opened', 'ERASED:00ff', 7));
  await write(recordOf('clicked', 'ada', 6));
  expect(told).toEqual([]);
  expect(await count('erased')).toBe(3);
  await write(recordOf('clicked', 'ada', 8));
  expect(told).toEqual([{ recipient: 'ada', instants: { clicked: 8 } }]);
});

test('while suppressions wait it waits, and lets go when the service stops', async () => {
  const { told, write, suppressionsWait, stop } = setUp();
  suppressionsWait(true);
  const waiting = write(recordOf('opened', 'ada', 5));
  // Other work has its turn meanwhile.
  await new Promise((resolve) => setImmediate(resolve));
  expect(told).toEqual([]);
  suppressionsWait(false);
  expect(await waiting).toEqual([{ outcome: 'delivered' }]);
  expect(told.length).toBe(1);
  suppressionsWait(true);
  const left = write(recordOf('opened', 'bob', 5));
  stop.abort();
  expect(await left).toMatchObject([{ outcome: 'retry' }]);
  expect(told.length).toBe(1);
});

test('a recipient who is refused is dropped, which is counted and said without the address', async () => {
  const refuse = ({ recipient }: Engagement): EngageResult => {
    if (recipient === 'ada') throw new CrmError('rejected', 'SINK_CRM_REJECTED', 'the CRM answered 422');
    return 'written';
  };
  const { write, count, lines } = setUp({ answer: refuse });
  const verdicts = await write(
    recordOf('opened', 'ada', 5),
    recordOf('clicked', 'ada', 5),
    recordOf('opened', 'bob', 5),
  );
  expect(verdicts.map(({ outcome }) => outcome)).toEqual(Array(3).fill('delivered'));
  expect(await count('dropped')).toBe(2);
  expect(JSON.stringify(lines)).toContain('SINK_CRM_REJECTED');
  expect(JSON.stringify(lines)).not.toContain('ada');
});

test('a CRM that is down loses nothing; one that fails of one recipient, and takes others, loses that one alone', async () => {
  let down = true;
  const answer = ({ recipient }: Engagement): EngageResult => {
    if (down || recipient === 'ada') throw new CrmError('unavailable', 'SINK_CRM_UNAVAILABLE', 'down');
    return 'written';
  };
  const { write, count, pass, told } = setUp({ answer });
  const [ada, bob] = [recordOf('opened', 'ada', 5), recordOf('opened', 'bob', 5)];
  for (let times = 0; times < 10; times++) {
    for (const { outcome } of await write(ada, bob)) expect(outcome).toBe('retry');
    pass(20_000);
  }
  expect(await count('dropped')).toBe(0);
  down = false;
  const records = [ada, bob];
  let verdicts = await write(...records);
  for (let times = 0; times < 5 && verdicts.some(({ outcome }) => outcome === 'retry'); times++) {
    pass(20_000);
    records.push(recordOf('opened', `other-${times}`, 5));
    verdicts = await write(...records);
  }
  expect(verdicts.every(({ outcome }) => outcome === 'delivered')).toBe(true);
  expect(await count('dropped')).toBe(1);
  // Who was taken is not told again with the batch.
  expect(told.filter(({ recipient }) => recipient === 'other-0').length).toBe(1);
});

test('a dry run tells nobody', async () => {
  const { told, write, count } = setUp({ dryRun: true });
  expect(await write(recordOf('opened', 'ada', 5))).toEqual([{ outcome: 'delivered' }]);
  expect([told.length, await count('dry_run')]).toEqual([0, 1]);
});
