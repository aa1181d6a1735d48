import type { SuppressionReason } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { streamsLeft } from './streams.ts';
import { suppressionOf } from './testing/values.ts';

const left = (...scopes: readonly string[]) =>
  suppressionOf({ reasons: scopes.map((scope) => ({ scope }) as SuppressionReason) });

test('each stream that was left has its id once', () => {
  const streams = { news: 1, 'account:shop': 2, also: 1 };
  expect(streamsLeft(left('news', 'account:shop', 'also', 'other'), streams)).toEqual([1, 2]);
});

test.each(['toString', '__proto__', 'constructor'])('a stream called %s is none of the object', (scope) => {
  expect(streamsLeft(left(scope), {})).toEqual([]);
});
