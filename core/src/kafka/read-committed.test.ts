import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import './kafkajs.ts';
import { type FetchedMessage, withoutAborted } from './read-committed.ts';

const data = (offset: number, producerId: string, inTransaction = true): FetchedMessage => ({
  offset: String(offset),
  key: null,
  isControlRecord: false,
  batchContext: { producerId, inTransaction },
});
const marker = (offset: number, producerId: string, type: 'abort' | 'commit'): FetchedMessage => ({
  ...data(offset, producerId),
  key: Buffer.from([0, 0, 0, type === 'abort' ? 0 : 1]),
  isControlRecord: true,
});
const offsets = (messages: readonly FetchedMessage[], ...aborted: [producerId: string, from: number][]) =>
  withoutAborted({
    messages,
    abortedTransactions: aborted.map(([producerId, from]) => ({ producerId, firstOffset: String(from) })),
  })
    .filter(({ isControlRecord }) => !isControlRecord)
    .map(({ offset }) => Number(offset));

test('an aborted transaction is left out, those around it and of others are not', () => {
  const messages = [
    ...[data(0, 'a'), marker(1, 'a', 'commit'), data(2, 'a'), data(3, 'b'), data(4, 'a', false)],
    ...[marker(5, 'a', 'abort'), marker(6, 'b', 'commit'), data(7, 'a'), marker(8, 'a', 'commit')],
  ];
  expect(offsets(messages, ['a', 2])).toEqual([0, 3, 4, 7]);
  expect(offsets(messages)).toEqual([0, 2, 3, 4, 7]);
});

test('the list is in the order of the markers, not of the first offsets', () => {
  const messages = [
    data(0, 'a'),
    data(1, 'b'),
    data(2, 'a'),
    marker(3, 'b', 'abort'),
    marker(4, 'a', 'abort'),
  ];
  expect(offsets(messages, ['b', 1], ['a', 0])).toEqual([]);
});

test('several transactions that began before the fetch are all known at its first message', () => {
  const messages = [data(10, 'c'), data(11, 'b'), data(12, 'a'), data(13, 'd')];
  expect(offsets(messages, ['a', 1], ['b', 2], ['c', 3])).toEqual([13]);
});

test('the same producer aborts twice and commits in between', () => {
  const messages = [
    ...[data(0, 'a'), marker(1, 'a', 'abort'), data(2, 'a'), marker(3, 'a', 'commit')],
    ...[data(4, 'a'), marker(5, 'a', 'abort'), data(6, 'a')],
  ];
  expect(offsets(messages, ['a', 0], ['a', 4])).toEqual([2, 6]);
});

test('kafkajs’s own batches use it', () => {
  const require = createRequire(import.meta.url);
  const Batch = require('kafkajs/src/consumer/batch.js');
  const batch = new Batch('t', '0', {
    partition: 0,
    highWatermark: '5',
    messages: [data(0, 'a'), data(1, 'b'), marker(2, 'b', 'abort'), marker(3, 'a', 'abort'), data(4, 'a')],
    abortedTransactions: [
      { producerId: 'b', firstOffset: '1' },
      { producerId: 'a', firstOffset: '0' },
    ],
  });
  expect(batch.messages.map(({ offset }: FetchedMessage) => offset)).toEqual(['4']);
});
