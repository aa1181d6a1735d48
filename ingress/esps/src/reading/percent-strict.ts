import { percentDecoded } from './form-bytes.ts';

/** By the two bytes that follow a percent sign, as a little-endian number: the byte that they mean; −1: they are no hex digits. */
const MEANT = Int16Array.from({ length: 0x10000 }, (_, pair) => {
  const digits = String.fromCharCode(pair & 0xff, pair >> 8);
  return /^[0-9a-f]{2}$/i.test(digits) ? Number.parseInt(digits, 16) : -1;
});
/** What a byte means by itself. */
const PLAIN = Int16Array.from({ length: 256 }, (_, byte) => (byte === 0x2b ? 0x20 : byte));
/** Bytes that are looked at for two characters. */
const WINDOW = 7;
const STRAY = /%(?![0-9a-f]{2})/i;

/**
 * As percentDecoded, for what nobody has verified yet. Null: it has a percent sign without two hex digits behind it, which no encoder writes.
 *
 * Two characters at a time, and no branch for what they are: where letters and escapes come at random, which all text does, a guess
 * for each costs twice as much as all of the rest.
 */
export function strictlyDecoded(encoded: Buffer): Buffer | null {
  const { length } = encoded;
  const bytes = Buffer.allocUnsafe(length);
  const from = new DataView(encoded.buffer, encoded.byteOffset, length);
  const to = new DataView(bytes.buffer, bytes.byteOffset, length);
  const [meant, plain, last] = [MEANT, PLAIN, length - WINDOW];
  let at = 0;
  let done = 0;
  let wrong = 0;
  while (at <= last && wrong >= 0) {
    const word = from.getInt32(at, true);
    if (!hasPercent(word)) {
      to.setInt32(done, withSpaces(word), true);
      done += 4;
      at += 4;
      continue;
    }
    // All ones for an escape, else zero.
    const one = (((word & 0xff) ^ 0x25) - 1) >> 31;
    const next = ((word >>> 8) & ~one) | (from.getInt32(at + 3, true) & one);
    const two = (((next & 0xff) ^ 0x25) - 1) >> 31;
    const first = (meant[(word >>> 8) & 0xffff] as number) & one;
    const second = (meant[(next >>> 8) & 0xffff] as number) & two;
    wrong = first | second;
    const meantByOne = first | ((plain[word & 0xff] as number) & ~one);
    const meantByTwo = second | ((plain[next & 0xff] as number) & ~two);
    to.setInt16(done, meantByOne | (meantByTwo << 8), true);
    done += 2;
    at = (at + 2 - ((one + two) << 1)) | 0;
  }
  const rest = encoded.subarray(at);
  if (wrong < 0 || STRAY.test(rest.toString('latin1'))) return null;
  return bytes.subarray(0, done + percentDecoded(rest).copy(bytes, done));
}

// Four bytes in one number. Constants are written as the signed numbers that they are as such: others are no small integers here.

/** Whether one of them is a percent sign. */
function hasPercent(word: number): boolean {
  const percent = word ^ 0x25252525;
  return ((percent - 0x01010101) & ~percent & -0x7f7f7f80) !== 0;
}

/** Each plus sign as a space. */
function withSpaces(word: number): number {
  const plus = word ^ 0x2b2b2b2b;
  const found = ~(((plus & 0x7f7f7f7f) + 0x7f7f7f7f) | plus | 0x7f7f7f7f);
  return word - (found >>> 7) * 0x0b;
}
