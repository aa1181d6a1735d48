import { hexUnit, type Span } from './json-fields.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LOWER_U = 0x75;
/** What stands behind a backslash, and the byte that it means. */
const ESCAPES: ReadonlyMap<number, number> = new Map(
  Object.entries({ '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }).map(
    ([letter, meant]) => [letter.charCodeAt(0), meant.charCodeAt(0)],
  ),
);
/** U+FFFD, in the place of half a surrogate pair: so does every encoder. */
const REPLACEMENT = 0xfffd;

/**
 * The text of a JSON string in UTF-8, made from bytes to bytes: what is no UTF-8 stays as it is, and nothing is parsed but escapes.
 * Null if it is no string, or none that JSON allows.
 */
export function jsonStringBytes(body: Buffer, { start, end }: Span): Buffer | null {
  if (body[start] !== QUOTE) return null;
  const written = body.subarray(start + 1, end - 1);
  if (hasControl(written)) return null;
  if (!written.includes(BACKSLASH)) return written;
  const bytes = Buffer.allocUnsafe(written.length);
  let length = 0;
  for (let at = 0; at < written.length; ) {
    const byte = written[at] as number;
    if (byte !== BACKSLASH) {
      bytes[length++] = byte;
      at++;
    } else if (written[at + 1] === LOWER_U) {
      const unit = hexUnit(written, at + 2);
      if (unit < 0) return null;
      const low = isHigh(unit) ? lowAt(written, at + 6) : -1;
      length = putPoint(bytes, length, low < 0 ? unit : 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
      at += low < 0 ? 6 : 12;
    } else {
      const meant = ESCAPES.get(written[at + 1] ?? 0);
      if (meant === undefined) return null;
      bytes[length++] = meant;
      at += 2;
    }
  }
  return bytes.subarray(0, length);
}

function hasControl(bytes: Buffer): boolean {
  for (let i = 0; i < bytes.length; i++) if ((bytes[i] as number) < 0x20) return true;
  return false;
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
