import { expect, test } from 'vitest';
import { Secret } from './config/index.ts';
import { isPseudonym, pseudonymsOf } from './erasure.ts';

const keysOf = (...keys: string[]) =>
  pseudonymsOf({ erasure: { keys: keys.map((key) => new Secret(key)), graceDays: 30 } });

test('an address has one pseudonym a key, which no other address and no other key gives', () => {
  const [one, two] = keysOf('a'.repeat(32), 'b'.repeat(32));
  const found = [one?.('ada@example.com'), one?.('eve@example.com'), two?.('ada@example.com')];
  expect(new Set(found).size).toBe(3);
  for (const pseudonym of found) expect(pseudonym).toMatch(/^ERASED:[0-9a-f]{32}$/);
  expect(one?.('ada@example.com')).toBe(found[0]);
});

test('no recipient key is taken for one', () => {
  expect(isPseudonym(keysOf('k'.repeat(32))[0]?.('ada@example.com') ?? '')).toBe(true);
  expect(isPseudonym('erased:0123')).toBe(false);
});

test('a key that can be guessed is refused, and not quoted', () => {
  expect(() => keysOf('short-secret')).toThrow('erasure.keys.0: must have 32 characters at least');
  expect(() => keysOf('short-secret')).not.toThrow('short-secret');
});
