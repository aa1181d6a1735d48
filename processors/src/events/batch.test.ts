import { tracesHeader } from '@email-events/core';
import type { EmailEvent, OperatorAction, RecipientState, Suppression } from '@email-events/schemas';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { batchSettings, decodeAll, encoderOf } from '../testing/codecs.ts';
import { eventOf, recordOf, START } from '../testing/records.ts';
import { Batch, type KnownState } from './batch.ts';
import { actionOf, idOf } from './suppression/history.fixture.ts';

const NONE: KnownState = { has: () => false, recipient: () => undefined };
const TOTALS = { received: 0, emitted: 0, duplicates: 0, deadLettered: 0, erased: 0 };
const NOW = START + 1_000_000;
const settings = { ...batchSettings(), clock: () => NOW };
const record = recordOf(Buffer.from('bytes'), { offset: 7 });

function batchOf(events: readonly EmailEvent[], known: KnownState = NONE): Batch {
  const batch = new Batch(known, settings, 4);
  for (const [index, event] of events.entries()) batch.add(record, event, index);
  return batch;
}

const knowing = (...ids: string[]): KnownState => ({
  has: (id) => ids.includes(id),
  recipient: () => undefined,
});

const suppressionsOf = (batch: Batch) =>
  decodeAll<Suppression>(
    'suppression',
    batch.outputs.filter(({ topic }) => topic === 'email.suppressions').map(({ value }) => value),
  );

test('an event goes to the topic of its type, on the partition it came from, under its recipient', async () => {
  const event = eventOf('clicked', { recipient: ' Ann@EXAMPLE.com ', url: 'https://shop.example/' });
  const [output, ...rest] = batchOf([event]).outputs;
  expect(output).toMatchObject({ topic: 'email.events.clicked', partition: 4, key: 'ann@example.com' });
  expect(rest).toEqual([]);
  const [decoded] = await decodeAll<EmailEvent>('clicked', [output?.value ?? null]);
  expect(decoded).toMatchObject({ event_id: event.event_id, url: 'https://shop.example/' });
});

test('a trace is handed on with the event of its request, and no other event is unpacked for it', () => {
  const [sampled, other, untraced] = [
    eventOf('opened', { request_id: 'r1' }),
    eventOf('opened'),
    eventOf('opened'),
  ];
  const spans = { handOn: (context?: string) => `${context} handed on`, end: () => {} };
  const batch = new Batch(NONE, settings, 4, spans);
  const add = (event: EmailEvent, traces: ReadonlyMap<string, string>, index: number) => {
    const unpacked = () => {
      throw new Error('it was unpacked');
    };
    const packed = { ...event, unpacked, typed: () => Buffer.from('typed') };
    batch.addPacked(recordOf(null, { headers: tracesHeader(traces) }), packed, index);
  };
  const traces = new Map([['r1', 'context']]);
  add(sampled, traces, 0);
  add(other, traces, 1);
  add(untraced, new Map(), 0);
  expect(batch.outputs.map(({ headers }) => headers?.traceparent?.toString())).toEqual([
    'context handed on',
    undefined,
    undefined,
  ]);
});

test('an event without a recipient has no key and no suppression', () => {
  const batch = batchOf([eventOf('other', { recipient: '' }), eventOf('bounced', { recipient: '' })]);
  expect(batch.outputs.map(({ key }) => key)).toEqual([null, null]);
  expect(batch.recipients.size).toBe(0);
});

test('an event counts once, within the batch and against what was seen before', () => {
  const [first, second, old] = [eventOf('opened'), eventOf('opened'), eventOf('opened')];
  const batch = batchOf(
    [first, second, first, old, { ...second, request_id: 'another' }],
    knowing(old.event_id),
  );
  expect(batch.outputs).toHaveLength(2);
  expect(batch.totals(TOTALS)).toEqual({
    received: 5,
    emitted: 2,
    duplicates: 3,
    deadLettered: 0,
    erased: 0,
  });
  expect([...batch.ids]).toEqual([first.event_id, second.event_id]);
});

test('a duplicate says nothing about suppression again', () => {
  const bounce = eventOf('bounced');
  expect(batchOf([bounce], knowing(bounce.event_id)).recipients.size).toBe(0);
});

test.each([
  ['missing', ''],
  ['short', '0123'],
  ['no hexadecimal', 'z'.repeat(32)],
  ['with something behind it', `${'0'.repeat(32)}zz`],
  ['odd', '0'.repeat(33)],
  ['in capitals', 'A'.repeat(32)],
])('an event id that is %s is a dead letter each time, never a duplicate', (_, event_id) => {
  const good = eventOf('opened', { event_id: '0'.repeat(32) });
  const bad = () => eventOf('opened', { event_id, item_index: 3 });
  const batch = batchOf([bad(), good, bad()], {
    ...NONE,
    has: (id) => id === 'a'.repeat(32),
  });
  expect(batch.outputs).toHaveLength(1);
  expect(batch.totals(TOTALS)).toEqual({
    received: 3,
    emitted: 1,
    duplicates: 0,
    deadLettered: 2,
    erased: 0,
  });
  expect(batch.failures).toMatchObject([
    { code: 'EVENTS_EVENT_INVALID', item: { index: 0 }, carriesValue: true },
    { code: 'EVENTS_EVENT_INVALID', item: { index: 2 }, carriesValue: false },
  ]);
});

test('an event that its schema cannot hold is a dead letter alone', () => {
  const bad = eventOf('other', { payload: null });
  const batch = batchOf([eventOf('opened'), bad, eventOf('opened')]);
  expect(batch.outputs.map(({ topic }) => topic)).toEqual(['email.events.opened', 'email.events.opened']);
  expect(batch.failures).toMatchObject([{ record, item: { event: bad }, carriesValue: true }]);
  // Its id is not remembered: mended and sent again, it is no duplicate.
  expect(batch.ids.has(bad.event_id)).toBe(false);
});

test('what could never be written is a dead letter, since it would stop the partition', () => {
  const endless = eventOf('bounced', { recipient: `a@${'x'.repeat(700_000)}` });
  const batch = batchOf([endless]);
  expect(batch.failures).toMatchObject([{ item: { event: endless } }]);
});

test('a recipient’s state is written small, however large and many its events are', () => {
  const texts = { method: 'm'.repeat(400), diagnostic: 'd'.repeat(400) };
  const written = (batch: Batch) => {
    const states = [...batch.recipients.values()].map((state) => encoderOf('recipientState').encode(state));
    const told = batch.outputs.filter(({ topic }) => topic === 'email.suppressions');
    return { state: states[0]?.length ?? 0, told: told[0]?.value?.length ?? 0 };
  };
  let known: KnownState = NONE;
  for (let i = 0; i < 600; i++) {
    const scope = `${i} ${'x'.repeat(600)}`;
    const kind = (['unsubscribed', 'bounced', 'subscribed'] as const)[i % 3] ?? 'bounced';
    const source = { source: `source-${i % 7}`, account: `account-${i % 5}` };
    const event = eventOf(kind, { ...texts, ...source, scope, bounce_class: 'soft' });
    const batch = batchOf([event], known);
    expect(batch.failures).toEqual([]);
    const { state, told } = written(batch);
    // Of an event of some 1,200 bytes: twice 8 kB at most, in the changelog and on the topic.
    expect(state).toBeLessThanOrEqual(8_192);
    expect(told).toBeLessThanOrEqual(8_192);
    const after = batch.recipients.get('ann@example.com');
    if (after) known = { ...NONE, recipient: () => after };
  }
});

test('an event that is known under another id is a duplicate, within the batch and against what was seen before', () => {
  const [first, old] = [eventOf('opened'), eventOf('opened')];
  const again = eventOf('opened', { known_as: ['not an id', first.event_id] });
  const late = eventOf('opened', { known_as: [old.event_id] });
  const batch = batchOf([first, again, late], knowing(old.event_id));
  expect(batch.totals(TOTALS)).toEqual({
    received: 3,
    emitted: 1,
    duplicates: 2,
    deadLettered: 0,
    erased: 0,
  });
  // Only the event's own id is remembered.
  expect([...batch.ids]).toEqual([first.event_id]);
  const renamed = eventOf('opened', { known_as: [idOf(77)] });
  expect([...batchOf([renamed]).ids]).toEqual([renamed.event_id]);
});

const actionsOf = (batch: Batch) =>
  decodeAll<OperatorAction>(
    'operatorAction',
    batch.outputs.filter(({ topic }) => topic === 'email.operator-actions').map(({ value }) => value),
  );

test('an action is told with what became of it, once, and counts in no total', async () => {
  const action = actionOf('suppress', { action_id: idOf(5), recipient: ' Ann@EXAMPLE.com', at: START + 5 });
  const batch = batchOf([], NONE);
  for (const index of [0, 1]) batch.take(record, action, index);
  expect(batch.outputs.map(({ topic, key, partition }) => `${topic} ${key} ${partition}`)).toEqual([
    'email.operator-actions ann@example.com 4',
    'email.suppressions ann@example.com 4',
  ]);
  const [told] = await actionsOf(batch);
  expect(told).toMatchObject({ ...action, recipient: 'ann@example.com', changed: true, taken_at: NOW });
  expect(await suppressionsOf(batch)).toMatchObject([{ reasons: [{ reason: 'manual', scope: 'all' }] }]);
  expect(batch.totals(TOTALS)).toEqual(TOTALS);
  expect([...batch.ids]).toEqual([action.action_id]);
  const again = batchOf([], knowing(action.action_id));
  again.take(record, action, 0);
  expect(again.outputs).toEqual([]);
});

test('an action that cannot be taken is a dead letter', () => {
  const bad = [
    actionOf('suppress', { action_id: 'no id' }),
    actionOf('lift', { recipient: '' }),
    actionOf('retract', { source: null }),
    actionOf('retract', { source: 'main', from: 5, to: 5 }),
    { ...actionOf('lift'), kind: 'forget' as 'lift' },
  ];
  const batch = batchOf([]);
  for (const [index, action] of bad.entries()) batch.take(record, action, index);
  expect(batch.outputs).toEqual([]);
  expect(batch.failures.map(({ item }) => item)).toEqual(bad.map((action, index) => ({ action, index })));
  expect(batch.totals(TOTALS)).toMatchObject({ received: 5, deadLettered: 5, erased: 0 });
});

test('what an operator says of any length fits its topic', () => {
  const endless = '\ud800x'.repeat(1_000_000);
  const batch = batchOf([]);
  const said = { by: endless, why: endless, scope: endless, reason: endless };
  batch.take(record, actionOf('suppress', said), 0);
  const bytes = batch.outputs.map(({ value }) => value?.length ?? 0);
  expect(Math.max(...bytes)).toBeLessThan(20_000);
});

test('half of a character in an address is the same recipient wherever it is kept', () => {
  const batch = batchOf([eventOf('bounced', { recipient: 'a\ud800\u0000@example.com' })]);
  expect([...batch.recipients.keys()]).toEqual(['a\ufffd\u0000@example.com']);
});

test('a record that cannot be read counts as one and carries its value', () => {
  const batch = batchOf([]);
  batch.refuse(record, { code: 'EVENTS_RECORD_UNREADABLE', message: 'no' });
  expect(batch.failures).toEqual([
    { record, code: 'EVENTS_RECORD_UNREADABLE', message: 'no', carriesValue: true },
  ]);
  expect(batch.totals(TOTALS)).toMatchObject({ received: 1, deadLettered: 1, erased: 0 });
});

test('each record carries its value once', () => {
  const other = recordOf(Buffer.from('other'), { offset: 8 });
  const batch = new Batch(NONE, settings, 4);
  for (const from of [record, other, record]) batch.add(from, eventOf('opened', { event_id: 'bad' }), 0);
  expect(batch.failures.map(({ carriesValue }) => carriesValue)).toEqual([true, true, false]);
});

test('a recipient has one suppression record a transaction, with the newest state', async () => {
  const batch = batchOf([
    eventOf('unsubscribed', { occurred_at: START + 1 }),
    eventOf('complained', { occurred_at: START + 2 }),
    eventOf('bounced', { occurred_at: START + 3, recipient: 'bob@example.com' }),
    eventOf('subscribed', { occurred_at: START + 4, recipient: 'Ann@example.com' }),
  ]);
  const suppressions = await suppressionsOf(batch);
  expect(suppressions.map(({ recipient }) => recipient)).toEqual(['ann@example.com', 'bob@example.com']);
  expect(suppressions[0]).toMatchObject({ suppressed: true, reasons: [{ reason: 'complaint' }] });
  expect([...batch.recipients.keys()]).toEqual(['ann@example.com', 'bob@example.com']);
});

test('it goes on from the state that was committed', async () => {
  const before = batchOf([eventOf('unsubscribed', { occurred_at: START })]).recipients.get('ann@example.com');
  const known: KnownState = { has: () => false, recipient: () => before as RecipientState };
  const [suppression] = await suppressionsOf(
    batchOf([eventOf('subscribed', { occurred_at: START + 1 })], known),
  );
  expect(suppression).toMatchObject({ suppressed: false, reasons: [] });
  const unchanged = batchOf([eventOf('subscribed', { occurred_at: START - 1 })], known);
  expect(await suppressionsOf(unchanged)).toEqual([]);
});

test('whatever comes, totals add up and a recipient’s events keep their order', () => {
  const event = fc
    .record({
      id: fc.integer({ min: 0, max: 30 }),
      kind: fc.constantFrom('opened', 'bounced', 'delivered', 'broken', 'nameless'),
      recipient: fc.constantFrom('a@x.example', 'b@x.example', 'c@x.example'),
    })
    .map(({ id, kind, recipient }) => {
      if (kind === 'broken') return eventOf('other', { recipient, payload: null });
      if (kind === 'nameless') return eventOf('opened', { recipient, event_id: '' });
      return eventOf(kind as 'opened', { recipient, event_id: id.toString(16).padStart(32, '0') });
    });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const batch = batchOf(events, knowing('1'.padStart(32, '0'), '2'.padStart(32, '0')));
      const totals = batch.totals({ received: 5, emitted: 3, duplicates: 1, deadLettered: 1, erased: 0 });
      expect(totals.received).toBe(5 + events.length);
      expect(totals.received).toBe(totals.emitted + totals.duplicates + totals.deadLettered);
      const typed = batch.outputs.filter(({ topic }) => topic.startsWith('email.events.'));
      expect(typed).toHaveLength(totals.emitted - 3);
      expect(batch.ids.size).toBe(typed.length);
      const emitted = events.filter(
        (each, i) =>
          /^[0-9a-f]{32}$/.test(each.event_id) &&
          each.type !== 'other' &&
          !['1', '2'].includes(each.event_id.replace(/^0+/, '')) &&
          events.findIndex(({ event_id }) => event_id === each.event_id) === i,
      );
      expect(typed.map(({ key }) => key)).toEqual(emitted.map(({ recipient }) => recipient));
      expect(typed.map(({ topic }) => topic)).toEqual(emitted.map(({ type }) => `email.events.${type}`));
    }),
  );
});
