import { type Budget, DEFAULT_BUDGET } from '@email-events/esps';
import { expect, test } from 'vitest';
import { oversizedRequests } from '../testing/oversized.ts';
import { rawRecord, sendgridItem } from '../testing/records.ts';
import { Breath, normalizeRecord } from './normalize-record.ts';

const within = (more: Partial<Budget>): Budget => ({ ...DEFAULT_BUDGET, ...more });
const codesOf = ({ failures }: { readonly failures: readonly { readonly code: string }[] }) =>
  failures.map(({ code }) => code);

test.each(oversizedRequests().map(({ what, ...rest }) => [what, rest] as const))(
  '%s: one dead letter of the request, and no events',
  async (_, { record, code }) => {
    const normalized = await normalizeRecord(record);
    expect(codesOf(normalized)).toEqual([code]);
    expect(normalized.failures[0]).not.toHaveProperty('item');
    expect(normalized.events).toEqual([]);
  },
  60_000,
);

test('the largest real batches are within the budgets', async () => {
  // Mandrill has the most events; SendGrid ends a batch at 768 kB, SparkPost at 1.2 MB.
  const mandrill = new URLSearchParams({
    mandrill_events: JSON.stringify(
      Array.from({ length: 1_000 }, (_, i) => ({
        ...{ event: 'open', ts: 1_767_225_600 + i, _id: `id${i}` },
        msg: { _id: `id${i}`, email: `u${i}@example.com`, subject: 's'.repeat(60), tags: ['a', 'b'] },
      })),
    ),
  });
  const form = { esp: 'mandrill', contentType: 'application/x-www-form-urlencoded' };
  const ofMandrill = { ...rawRecord([], {}, form), value: Buffer.from(String(mandrill)) };
  expect((await normalizeRecord(ofMandrill)).events).toHaveLength(1_000);
  const sendgrid = Array.from({ length: 3_000 }, () => sendgridItem('open'));
  expect(JSON.stringify(sendgrid).length).toBeGreaterThan(700_000 - 200_000);
  expect((await normalizeRecord(rawRecord(sendgrid))).events).toHaveLength(3_000);
}, 60_000);

test('what exceeds a budget comes out once the budget is raised', async () => {
  const record = rawRecord(Array.from({ length: 5 }, () => sendgridItem('open')));
  const tight: [Partial<Budget>, string][] = [
    [{ maxItems: 4 }, 'NORMALIZE_TOO_MANY_ITEMS'],
    [{ maxEvents: 4 }, 'NORMALIZE_TOO_MANY_EVENTS'],
    [{ maxOutputBytes: 1_000 }, 'NORMALIZE_OUTPUT_TOO_LARGE'],
  ];
  for (const [budget, code] of tight)
    expect(codesOf(await normalizeRecord(record, { budget: within(budget) }))).toEqual([code]);
  expect((await normalizeRecord(record)).events).toHaveLength(5);
});

test('of many bad items each has its letter, of very many there is one; what can be read comes out', async () => {
  const items = (bad: number) => [
    sendgridItem('open'),
    ...Array.from({ length: bad }, () => ({ event: 'open' })),
    sendgridItem('open'),
  ];
  const some = await normalizeRecord(rawRecord(items(100)));
  expect([some.events.length, some.failures.length, some.refused]).toEqual([2, 100, 100]);
  const more = await normalizeRecord(rawRecord(items(101)));
  expect([more.events.length, more.refused]).toEqual([2, 101]);
  expect(more.failures).toEqual([
    {
      code: 'NORMALIZE_TOO_MANY_FAILURES',
      message: expect.stringMatching(/^101 items cannot be read, the first is NORMALIZE_/),
    },
  ]);
});

test('letters that would together be much larger than the request are one', async () => {
  // The text that each item repeats would be there a hundred times.
  const header = 'x'.repeat(20_000);
  const bad = rawRecord(
    Array.from({ length: 90 }, () => 0),
    {},
    { headers: { header } },
  );
  expect(codesOf(await normalizeRecord(bad))).toEqual(['NORMALIZE_TOO_MANY_FAILURES']);
});

test('others have their turn between the items of a long request', async () => {
  const events: string[] = [];
  class Due extends Breath {
    override get isDue(): boolean {
      return true;
    }
    override async take(): Promise<void> {
      events.push('item');
      await super.take();
    }
  }
  setImmediate(() => events.push('heartbeat'));
  await normalizeRecord(rawRecord([0, 0, 0]), { breath: new Due() });
  expect(events.slice(0, 2)).toEqual(['item', 'heartbeat']);
  expect(events.filter((event) => event === 'item')).toHaveLength(3);
});
