import { topicCatalogue, topics } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { parseConfig } from '../config/index.ts';
import { topicProblems } from './require-topics.ts';

const catalogue = topicCatalogue(parseConfig({ topics: { partitions: 3, rawPartitions: 2 } }).topics);
const wanted = catalogue.filter(({ name }) => name === topics.raw || name === topics.normalized);

test('topics as configured are no problem', () => {
  const counts = new Map([
    [topics.raw, 2],
    [topics.normalized, 3],
  ]);
  expect(topicProblems(wanted, counts as Map<string, number>)).toEqual([]);
});

test('all that is missing or differs is named', () => {
  expect(topicProblems(wanted, new Map([[topics.normalized, 4]]))).toEqual([
    'email.raw is missing',
    'email.internal.normalized has 4 partitions, configured are 3',
  ]);
});
