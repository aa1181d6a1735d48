import type { EmailEvent, OperatorAction } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { eventOf, START } from '../../testing/records.ts';
import { actionOf, DAY, idOf, learnAll, NOW, RULE, type Said } from './history.fixture.ts';
import { reasonsOf } from './reasons.ts';
import { addWord, wordOf } from './words.ts';

const named = (said: readonly Said[]) =>
  reasonsOf(learnAll(said), RULE).map(({ reason, scope }) => `${reason} ${scope}`);

/** Of source `shop`; received when it happened. */
const event = (type: EmailEvent['type'], time: number, more: Partial<EmailEvent> = {}): Said => {
  const at = START + time;
  const from = { esp: 'sendgrid', source: 'shop', account: 'shop' };
  return { event: eventOf(type, { ...from, occurred_at: at, received_at: at, ...more }) };
};
let ordered = 0;
const order = (
  kind: OperatorAction['kind'],
  time: number,
  more: Partial<OperatorAction> = {},
): { action: OperatorAction } => ({
  action: actionOf(kind, { action_id: idOf(++ordered), at: START + time, ...more }),
});
const inAnyOrder = (said: readonly Said[]) => {
  const found = named(said);
  expect(named([...said].reverse())).toEqual(found);
  return found;
};

test('an operator suppresses all mail, or a stream, and says why', () => {
  const { action } = order('suppress', 5, { why: 'asked by phone' });
  expect(reasonsOf(learnAll([{ action }]), RULE)).toEqual([
    {
      ...{ reason: 'manual', scope: 'all', since: START + 5, esp: 'operator', source: '' },
      ...{ event_id: action.action_id, detail: 'asked by phone', account: null },
    },
  ]);
  expect(named([order('suppress', 5, { scope: 'news' })])).toEqual(['manual news']);
  // One of our scopes may be meant.
  expect(named([order('suppress', 5, { scope: 'account:shop' })])).toEqual(['manual account:shop']);
});

test('nothing but an operator lifts what an operator ordered', () => {
  const orders = [order('suppress', 5)];
  expect(named([...orders, event('subscribed', 9), event('delivered', 9)])).toEqual(['manual all']);
  expect(inAnyOrder([...orders, order('lift', 6)])).toEqual([]);
  expect(inAnyOrder([...orders, order('lift', 6), order('suppress', 7)])).toEqual(['manual all']);
  // At the same moment sending nothing is the safe mistake.
  expect(inAnyOrder([...orders, order('lift', 5)])).toEqual(['manual all']);
});

test('a lift takes back what had occurred, or was known, and nothing later', () => {
  const everything = [
    event('bounced', 1),
    event('complained', 2),
    event('unsubscribed', 3),
    event('unsubscribed', 3, { scope: 'news' }),
    order('suppress', 4, { scope: 'offers' }),
    ...[1, 2, 3, 4, 5].map((time) => event('bounced', time, { bounce_class: 'soft' })),
  ];
  expect(named(everything)).toHaveLength(6);
  expect(inAnyOrder([...everything, order('lift', 10)])).toEqual([]);
  // It is told later, but is as old: by a replay, or a backfill.
  expect(inAnyOrder([event('complained', 9, { received_at: START + 90 * DAY }), order('lift', 10)])).toEqual(
    [],
  );
  // It was known, by a clock that is ahead.
  expect(inAnyOrder([event('complained', 700, { received_at: START + 9 }), order('lift', 10)])).toEqual([]);
  expect(inAnyOrder([event('complained', 2), event('complained', 11), order('lift', 10)])).toEqual([
    'complaint all',
  ]);
});

test('what happened after a lift counts, also when older reports come behind it', () => {
  const said = [event('bounced', 1), order('lift', 10), event('bounced', 20)];
  expect(named(said)).toEqual(['hard_bounce all']);
  const old = event('bounced', 5, { received_at: START + 90 });
  expect(inAnyOrder([...said, old])).toEqual(['hard_bounce all']);
});

test('a lift may be of one reason, or one scope', () => {
  const said = [event('bounced', 1), event('unsubscribed', 2), event('unsubscribed', 2, { scope: 'news' })];
  expect(inAnyOrder([...said, order('lift', 9, { reason: 'hard_bounce' })])).toEqual([
    'unsubscribe all',
    'unsubscribe news',
  ]);
  expect(inAnyOrder([...said, order('lift', 9, { scope: 'news' })])).toEqual([
    'hard_bounce all',
    'unsubscribe all',
  ]);
  expect(inAnyOrder([...said, order('lift', 9, { reason: 'unsubscribe', scope: 'all' })])).toEqual([
    'hard_bounce all',
    'unsubscribe news',
  ]);
});

test('what a source said in a time does not count, whenever it comes, and what it said outside it does', () => {
  const forged = [1, 2, 3].map((time) => event('complained', time, { received_at: START + 100 + time }));
  const taken = order('retract', 500, { source: 'shop', from: START + 100, to: START + 200 });
  expect(named(forged)).toEqual(['complaint all']);
  expect(inAnyOrder([...forged, taken])).toEqual([]);
  const before = event('complained', 9, { received_at: START + 99 });
  const after = event('complained', 9, { received_at: START + 200 });
  expect(inAnyOrder([...forged, before, taken])).toEqual(['complaint all']);
  expect(inAnyOrder([...forged, taken, after])).toEqual(['complaint all']);
  const other = event('complained', 9, { source: 'shop2', received_at: START + 150 });
  expect(inAnyOrder([...forged, other, taken])).toEqual(['complaint all']);
});

test('a subscription that is taken back lifts nothing', () => {
  const said = [event('unsubscribed', 1), event('subscribed', 5)];
  expect(named(said)).toEqual([]);
  const taken = order('retract', 500, { source: 'shop', from: START + 5, to: START + 6 });
  expect(inAnyOrder([...said, taken])).toEqual(['unsubscribe all']);
});

test('a delivery by words that were taken back ends no run, if it comes after the order', () => {
  const run = [1, 2, 3, 4, 5].map((time) => event('bounced', time, { bounce_class: 'soft' }));
  const taken = order('retract', 500, { source: 'shop', from: START + 6, to: START + 9 });
  expect(named([...run, taken, event('delivered', 7)])).toEqual(['soft_bounces all']);
  expect(named([...run, taken, event('delivered', 9)])).toEqual([]);
});

test('words that say nothing beside others are not kept', () => {
  const words = (...orders: { action: OperatorAction }[]) => {
    const add = (all: typeof orders) =>
      all.reduce<ReturnType<typeof addWord>>((known, { action }) => addWord(known, wordOf(action, NOW)), []);
    expect(add([...orders].reverse())).toEqual(add(orders));
    return add(orders).map(({ kind, at }) => `${kind} ${at - START}`);
  };
  expect(words(order('suppress', 1), order('suppress', 2), order('lift', 3))).toEqual(['lift 3']);
  expect(words(order('lift', 1, { reason: 'complaint' }), order('lift', 2))).toEqual(['lift 2']);
  expect(words(order('lift', 1), order('lift', 2, { reason: 'complaint' }))).toEqual(['lift 1', 'lift 2']);
  expect(words(order('suppress', 1, { scope: 'news' }), order('suppress', 2))).toEqual([
    'suppress 1',
    'suppress 2',
  ]);
  const within = (from: number, to: number) => ({ source: 'shop', from: START + from, to: START + to });
  expect(words(order('retract', 8, within(2, 5)), order('retract', 9, within(1, 6)))).toEqual(['retract 9']);
  expect(words(order('retract', 8, within(2, 5)), order('retract', 9, within(3, 6)))).toHaveLength(2);
  const same = order('lift', 3);
  expect(words(same, same)).toEqual(['lift 3']);
});

test('an order is never later than when it is taken', () => {
  const { action } = order('lift', 99);
  expect(wordOf(action, START + 50).at).toBe(START + 50);
  expect(wordOf(action, START + 100).at).toBe(START + 99);
});
