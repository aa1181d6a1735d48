import fc from 'fast-check';
import { expect, test } from 'vitest';
import { crc32c } from './crc32c.ts';
import { crc32cInJavaScript } from './kafkajs/kafkajs.ts';

// The check value of CRC-32C, and those of RFC 3720, B.4.
const KNOWN: [string, Buffer, number][] = [
  ['nothing', Buffer.alloc(0), 0],
  ['123456789', Buffer.from('123456789'), 0xe3069283],
  ['32 bytes of zeros', Buffer.alloc(32), 0x8a9136aa],
  ['32 bytes of ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
];

test.each(KNOWN)('%s', (_, bytes, checksum) => {
  expect(crc32c(bytes)).toBe(checksum);
  expect(crc32cInJavaScript(bytes)).toBe(checksum);
});

test('the prebuilt program is what is used where there is one, and says what JavaScript says', () => {
  expect(crc32c).not.toBe(crc32cInJavaScript);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5_000 }), (bytes) => {
      expect(crc32c(Buffer.from(bytes))).toBe(crc32cInJavaScript(Buffer.from(bytes)));
    }),
  );
});
