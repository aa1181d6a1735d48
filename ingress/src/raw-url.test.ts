import { expect, test } from 'vitest';
import { rawUrl } from './raw-url.ts';

test.each([
  ['/a/b', '/a/b'],
  ['/a?x=1&y=%20', '/a?x=1&y=%20'],
  ['/a?key=abc&x=1', '/a?key=***&x=1'],
  ['/a?%6Bey=abc', '/a?%6Bey=***'],
  ['/a?x=pass%77ord', '/a?x=***'],
  ['/a?password', '/a?***'],
  ['/a?x=%', '/a?x=%'],
  ['http://user:password@host/a?x=1', '/a?x=1'],
  ['https://user:password@host', '/'],
])('%s', (url, kept) => {
  expect(rawUrl(url, 'key', ['password'])).toBe(kept);
});
