import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shortHmac } from './short-hmac.ts';

// RFC 4231, test cases 2 and 6: a short key, and one that is longer than a block.
const KNOWN: [string, Buffer, string, string][] = [
  [
    'a short key',
    Buffer.from('Jefe'),
    'what do ya want for nothing?',
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  ],
  [
    'a long key',
    Buffer.alloc(131, 0xaa),
    'Test Using Larger Than Block-Size Key - Hash Key First',
    '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
  ],
];

test.each(KNOWN)('%s', (_, key, message, mac) => {
  expect(shortHmac('sha256', key, [message])?.toString('hex')).toBe(mac);
});

const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
const part = fc.oneof(fc.string({ unit: 'binary' }), bytes);
const key = fc.oneof(
  part,
  fc.constantFrom(63, 64, 65).map((length) => Buffer.alloc(length, 7)),
);

test('it is what Node makes of any key and any parts', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('sha1' as const, 'sha256' as const),
      key,
      fc.array(part),
      (digest, key, parts) => {
        const theirs = createHmac(digest, key);
        for (const piece of parts) theirs.update(piece);
        expect(shortHmac(digest, key, parts)?.equals(theirs.digest())).toBe(true);
      },
    ),
    { numRuns: 1_000 },
  );
});

test('up to 32 KiB; what is longer is left to Node', () => {
  const longest = Buffer.alloc(32_768, 1);
  const theirs = createHmac('sha256', 'k').update(longest).digest();
  expect(shortHmac('sha256', 'k', [longest])?.equals(theirs)).toBe(true);
  expect(shortHmac('sha256', 'k', [longest, 'x'])).toBeUndefined();
});

test('a text and the same bytes are one key; texts that are not are two', () => {
  const of = (key: string | Buffer) => shortHmac('sha256', key, ['m'])?.toString('hex');
  expect(of('ü')).toBe(of(Buffer.from('ü')));
  expect(of('ü')).not.toBe(of(Buffer.from('ü', 'latin1')));
  for (let i = 0; i < 1_000; i++) of(`key ${i}`);
  expect(of('ü')).toBe(createHmac('sha256', 'ü').update('m').digest('hex'));
});
