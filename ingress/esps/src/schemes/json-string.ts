import { hexUnit, type Span } from './json-fields.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LOWER_U = 0x75;
/** By what stands behind a backslash, the byte that it means; 0: nothing. A table, since a string may be nothing but these. */
const ESCAPES = new Uint8Array(128);
for (const [letter, meant] of Object.entries({
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
})) {
  ESCAPES[letter.charCodeAt(0)] = meant.charCodeAt(0);
}
/** U+FFFD, in the place of half a surrogate pair: so does every encoder. */
const REPLACEMENT = 0xfffd;

/**
 * The text of a JSON string in UTF-8, made from bytes to bytes: what is no UTF-8 stays as it is, and nothing is parsed but escapes.
 * Null if it is no string, or has an escape that JSON does not know.
 */
export function jsonStringBytes(body: Buffer, { start, end }: Span): Buffer | null {
  if (body[start] !== QUOTE) return null;
  const written = body.subarray(start + 1, end - 1);
  if (!written.includes(BACKSLASH)) return written;
  const bytes = Buffer.allocUnsafe(written.length);
  const escapes = ESCAPES;
  let length = 0;
  for (let at = 0; at < written.length; ) {
    const byte = written[at] as number;
    if (byte !== 0x5c) {
      bytes[length++] = byte;
      at++;
    } else if (written[at + 1] === LOWER_U) {
      const unit = hexUnit(written, at + 2);
      if (unit < 0) return null;
      const low = isHigh(unit) ? lowAt(written, at + 6) : -1;
      length = putPoint(bytes, length, low < 0 ? unit : 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
      at += low < 0 ? 6 : 12;
    } else {
      const meant = escapes[written[at + 1] ?? 0];
      if (!meant) return null;
      bytes[length++] = meant;
      at += 2;
    }
  }
  return bytes.subarray(0, length);
}

const isHigh = (unit: number) => unit >= 0xd800 && unit < 0xdc00;

/** The second half of a pair, if it is written here; else -1. */
function lowAt(bytes: Buffer, at: number): number {
  if (bytes[at] !== BACKSLASH || bytes[at + 1] !== LOWER_U) return -1;
  const unit = hexUnit(bytes, at + 2);
  return unit >= 0xdc00 && unit < 0xe000 ? unit : -1;
}

/** Writes a code point; never more bytes than its escape has. Returns the new length. */
function putPoint(bytes: Buffer, length: number, code: number): number {
  const point = code >= 0xd800 && code < 0xe000 ? REPLACEMENT : code;
  let at = length;
  if (point < 0x80) bytes[at++] = point;
  else if (point < 0x800) {
    bytes[at++] = 0xc0 | (point >> 6);
    bytes[at++] = 0x80 | (point & 0x3f);
  } else if (point < 0x10000) {
    bytes[at++] = 0xe0 | (point >> 12);
    bytes[at++] = 0x80 | ((point >> 6) & 0x3f);
    bytes[at++] = 0x80 | (point & 0x3f);
  } else {
    bytes[at++] = 0xf0 | (point >> 18);
    bytes[at++] = 0x80 | ((point >> 12) & 0x3f);
    bytes[at++] = 0x80 | ((point >> 6) & 0x3f);
    bytes[at++] = 0x80 | (point & 0x3f);
  }
  return at;
}
