import { expect, test } from 'vitest';
import { backlogIn, type EmittedEvent, imbalanceIn, type SentEvent, violationsIn } from './invariants.ts';

const sent: SentEvent[] = ['a', 'b', 'c', 'd'].map((name, i) => ({
  name,
  recipient: i < 3 ? 'ann@example.com' : 'bob@example.com',
}));

/** As it should come out. */
const right: EmittedEvent[] = sent.map((event, i) => ({
  ...event,
  topic: 'email.events.opened',
  partition: 0,
  offset: BigInt(i),
}));
const [a, b, c, d] = right as [EmittedEvent, EmittedEvent, EmittedEvent, EmittedEvent];

test('what came out right has nothing wrong', () => {
  expect(violationsIn(sent, right)).toEqual([]);
  expect(violationsIn(sent, [d, c, b, a])).toEqual([]);
  expect(violationsIn([], [])).toEqual([]);
});

test('a loss is seen', () => {
  expect(violationsIn(sent, [a, c, d])).toEqual(['lost: b']);
  expect(violationsIn(sent, [])).toHaveLength(4);
});

test('a duplicate is seen, on the same topic and on another one', () => {
  expect(violationsIn(sent, [...right, { ...d, offset: 9n }])).toEqual([
    'duplicate: d at email.events.opened/0/9',
  ]);
  expect(violationsIn(sent, [...right, { ...d, topic: 'email.events.other' }])).toHaveLength(1);
});

test('an event out of nowhere is seen', () => {
  expect(violationsIn(sent, [...right, { ...d, name: 'x', recipient: 'nobody', offset: 9n }])).toEqual([
    'never sent: x at email.events.opened/0/9',
  ]);
});

test('a reordering is seen', () => {
  expect(violationsIn(sent, [{ ...a, offset: 1n }, { ...b, offset: 0n }, c, d])).toEqual([
    'out of order: a after b',
  ]);
  expect(violationsIn(sent, [a, b, { ...c, partition: 1 }, d])).toEqual(['on two partitions: b, c']);
});

test('recipients and topics have an order each', () => {
  expect(violationsIn(sent, [a, b, c, { ...d, offset: -1n }])).toEqual([]);
  expect(violationsIn(sent, [a, b, { ...c, topic: 'email.events.clicked', offset: 0n }, d])).toEqual([]);
});

test('a partition that was not committed to its end is seen', () => {
  const at = { group: 'g', topic: 't', partition: 1 };
  expect(backlogIn([{ ...at, committed: 5n, end: 5n }])).toEqual([]);
  expect(backlogIn([{ ...at, committed: null, end: 0n }])).toEqual([]);
  expect(backlogIn([{ ...at, committed: 4n, end: 5n }])).toEqual(['g is at 4 of 5 on t/1']);
  expect(backlogIn([{ ...at, committed: 6n, end: 5n }])).toHaveLength(1);
  expect(backlogIn([{ ...at, committed: null, end: 1n }])).toHaveLength(1);
});

test('totals that do not add up, or not with what is there, are seen', () => {
  const totals = { received: 7, emitted: 4, duplicates: 2, deadLettered: 1 };
  expect(imbalanceIn(totals, right)).toEqual([]);
  expect(imbalanceIn({ ...totals, received: 8 }, right)).toHaveLength(1);
  expect(imbalanceIn(totals, right.slice(1))).toHaveLength(1);
});
