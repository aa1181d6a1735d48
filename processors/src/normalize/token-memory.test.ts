import { expect, test } from 'vitest';
import { ENTRY_BYTES, TokenMemory } from './token-memory.ts';

const HOUR = 3_600_000;
const entry = (token: number, body = 1) => {
  const bytes = Buffer.alloc(ENTRY_BYTES);
  bytes.writeUInt32BE(token, 0);
  bytes.writeUInt32BE(body, ENTRY_BYTES / 2);
  return bytes;
};

function memory(maxEntries = 1_000) {
  const forgotten: number[] = [];
  const options = { windowMs: 48 * HOUR, maxEntries, onOverflow: (count: number) => forgotten.push(count) };
  return { tokens: new TokenMemory(options), forgotten };
}

test('a token is good for one body, the first', () => {
  const { tokens } = memory();
  expect(tokens.judge(entry(1))).toBe('new');
  tokens.add(Buffer.concat([entry(1), entry(1, 2), entry(2)]), 0);
  expect([entry(1), entry(1, 2), entry(2), entry(3)].map((of) => tokens.judge(of))).toEqual([
    'same',
    'other',
    'same',
    'new',
  ]);
  expect(tokens.size).toBe(2);
});

test('it is remembered for the window at least, by the time of requests, and not for ever', () => {
  const { tokens, forgotten } = memory();
  for (let hour = 0; hour <= 200; hour++) {
    tokens.add(entry(hour), hour * HOUR);
    for (let ago = 0; ago <= Math.min(hour, 48); ago++)
      expect(tokens.judge(entry(hour - ago, 2))).toBe('other');
  }
  expect(tokens.judge(entry(0, 2))).toBe('new');
  expect(tokens.size).toBeLessThan(100);
  expect(forgotten).toEqual([]);
});

test('a request that is read late forgets nothing early', () => {
  const { tokens } = memory();
  tokens.add(entry(1), 100 * HOUR);
  tokens.add(entry(2), 10 * HOUR);
  tokens.add(entry(3), 110 * HOUR);
  expect([1, 2, 3].map((token) => tokens.judge(entry(token)))).toEqual(['same', 'same', 'same']);
});

test('beyond its bound the oldest go, and that is told', () => {
  const { tokens, forgotten } = memory(100);
  for (let token = 0; token < 1_000; token++) {
    tokens.add(entry(token), token);
    expect(tokens.size).toBeLessThanOrEqual(100);
    expect(tokens.judge(entry(token))).toBe('same');
  }
  expect(forgotten.reduce((sum, count) => sum + count, 0) + tokens.size).toBe(1_000);
});
