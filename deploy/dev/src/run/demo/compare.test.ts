import type { Totals } from '@email-events/cli/status/totals';
import { describe, expect, test } from 'vitest';
import type { Expectation } from '../../simulate/expectation.ts';
import { compare, isComplete } from './compare.ts';
import type { Found } from './found.ts';

const campaign = {
  ...{ campaign: 'spring', variant: 'A', queued: 1, delivered: 3, bounced: 1, opened: 2, machineOpened: 1 },
  ...{ clicked: 1, complained: 0, unsubscribed: 0 },
};
const expected: Expectation = {
  ...{ received: 12, emitted: 8, duplicates: 3, deadLettered: 1 },
  events: { ses: { delivered: 5 }, sendgrid: { delivered: 2, bounced: 1 } },
  deadLetters: { NORMALIZE_ITEM_INVALID: 1 },
  suppressions: {
    recipients: { 'a@x.example': { suppressed: true, reasons: ['hard_bounce'] } },
    suppressed: 1,
    byReason: { hard_bounce: 1 },
  },
  campaigns: [campaign],
};
const totals: Totals = {
  ...{ items: 12, received: 11, emitted: 8, duplicates: 3, eventsDeadLetters: 0 },
  ...{ rows: 8, rollup: 8, deadLetters: 1, sinkDeadLetters: 0 },
};
const states = new Map([['a@x.example', { suppressed: true, reasons: ['hard_bounce'] }]]);
const found: Found = {
  events: { sendgrid: { bounced: 1, delivered: 2 }, ses: { delivered: 5 } },
  repeated: 0,
  campaigns: [campaign],
  deliverability: [],
  abTests: [],
  deadLetters: { NORMALIZE_ITEM_INVALID: 1 },
  suppressions: states,
  crm: states,
};

const differing = (t: Partial<Totals>, f: Partial<Found> = {}) =>
  compare(expected, { ...totals, ...t }, { ...found, ...f })
    .filter(({ agrees }) => !agrees)
    .map(({ name }) => name);

describe('compare', () => {
  test('all agree', () => {
    expect(differing({})).toEqual([]);
    expect(isComplete(expected, totals)).toBe(true);
  });

  test.each([
    [
      'an event lost',
      { emitted: 7 },
      ['received = emitted + duplicates + dead letters', 'emitted', 'ClickHouse: rows', 'ClickHouse: rollup'],
    ],
    ['a duplicate let through', { emitted: 9, duplicates: 2, rows: 9, rollup: 9 }, ['emitted', 'duplicates']],
    ['a row twice', { rows: 9 }, ['ClickHouse: rows']],
    ['a rollup counted twice', { rollup: 16 }, ['ClickHouse: rollup']],
    [
      'a dead letter too many',
      { deadLetters: 2 },
      ['received = emitted + duplicates + dead letters', 'dead letters'],
    ],
    ['a sink gave up an event', { sinkDeadLetters: 1 }, ['dead letters of sinks']],
    [
      'an item lost before normalize',
      { items: 11 },
      ['received', 'received = emitted + duplicates + dead letters'],
    ],
  ])('%s', (_what, change, names) => {
    expect(differing(change)).toEqual(names);
    expect(isComplete(expected, { ...totals, ...change })).toBe(names.includes('dead letters of sinks'));
  });

  test('copies of requests add to what is received and to duplicates, never to what comes out', () => {
    const copied = { items: 15, duplicates: 5, deadLetters: 2 };
    const deadLetters = { NORMALIZE_ITEM_INVALID: 2 };
    const names = (t: Partial<Totals>, f: Partial<Found> = { deadLetters }) =>
      compare(expected, { ...totals, ...copied, ...t }, { ...found, ...f }, true)
        .filter(({ agrees }) => !agrees)
        .map(({ name }) => name);
    expect(names({})).toEqual([]);
    expect(isComplete(expected, { ...totals, ...copied }, true)).toBe(true);
    expect(isComplete(expected, { ...totals, ...copied })).toBe(false);
    expect(names({ emitted: 9, duplicates: 4 })).toEqual([
      'emitted',
      'ClickHouse: rows',
      'ClickHouse: rollup',
    ]);
    expect(names({ duplicates: 2, items: 12 })).toEqual(['duplicates (at least)']);
    expect(names({}, { deadLetters: {} })).toEqual(['ClickHouse: dead letters by code (at least)']);
  });

  test('one cell too many and one too few are found although the sum is right', () => {
    const events = { ses: { delivered: 4, bounced: 1 }, sendgrid: { delivered: 2, bounced: 1 } };
    expect(differing({}, { events })).toEqual(['ClickHouse: rows by ESP and type']);
    const [check] = compare(expected, totals, { ...found, events }).filter(({ agrees }) => !agrees);
    expect(check).toMatchObject({
      expected: 8,
      found: 8,
      details: ['ses bounced: 1 instead of 0', 'ses delivered: 4 instead of 5'],
    });
  });

  test('repeated ids, other codes, other campaign figures', () => {
    expect(differing({}, { repeated: 1 })).toEqual(['ClickHouse: rows that share an event id']);
    expect(differing({}, { deadLetters: { OTHER: 1 } })).toEqual(['ClickHouse: dead letters by code']);
    expect(differing({}, { campaigns: [{ ...campaign, clicked: 2 }] })).toEqual([
      'ClickHouse: campaigns and variants',
    ]);
  });

  test.each([
    ['a recipient is missing', new Map()],
    [
      'one is suppressed who must not be',
      new Map([...states, ['b@x.example', { suppressed: true, reasons: ['complaint'] }]]),
    ],
    ['for another reason', new Map([['a@x.example', { suppressed: true, reasons: ['complaint'] }]])],
    ['not for all mail', new Map([['a@x.example', { suppressed: false, reasons: ['hard_bounce'] }]])],
  ])('suppressions: %s', (_what, wrong) => {
    expect(differing({}, { crm: wrong })).toEqual(['CRM: suppressed recipients and why']);
    expect(compare(expected, totals, { ...found, crm: null }).map(({ name }) => name)).not.toContain(
      'CRM: suppressed recipients and why',
    );
    const details = compare(expected, totals, { ...found, crm: wrong }).flatMap((check) => check.details);
    expect(details.join()).not.toContain('@');
  });

  test('a recipient whose every reason was lifted is as if there was none', () => {
    const lifted = new Map([...states, ['b@x.example', { suppressed: false, reasons: [] }]]);
    expect(differing({}, { suppressions: lifted, crm: lifted })).toEqual([]);
  });
});
