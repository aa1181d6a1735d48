import { decodeText } from '../reading/json.ts';
import { closingQuote, nestedEnd } from './json-steps.ts';

/** Bytes of a body: from `start` to before `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
/** Brackets are braces without this bit. */
const BRACE_BIT = 0x20;
const LOWER_U = 0x75;
/** The end of a string is searched natively, which is fast unless it is full of quotes. */
const ESCAPED_QUOTES = 64;
/** Names at the top: those of an ESP are a dozen or two. */
const MAX_FIELDS = 256;
/** Levels of lists and objects. */
const MAX_DEPTH = 512;

/**
 * Where the values of these names stand at the top of a JSON object. For bodies that are not verified yet: one pass over the
 * bytes, no recursion, and nothing is allocated but the answer. Names are compared as JSON means them, escapes resolved.
 *
 * Null: the bytes are no JSON object, have more names or a deeper nesting than any ESP's, or one of those wanted twice, where
 * readers differ in which one counts. Nested values are only skipped, so not every body that gets through is JSON; but if it is, JSON.parse finds these values.
 */
export function jsonFields(body: Buffer, names: readonly string[]): ReadonlyMap<string, Span> | null {
  const found = new Map<string, Span>();
  return findFields(body, names, found) ? found : null;
}

/** Those that end within these first bytes of an object. What comes behind them may well show that it is none, or has them twice. */
export function earlyFields(beginning: Buffer, names: readonly string[]): ReadonlyMap<string, Span> {
  const found = new Map<string, Span>();
  findFields(beginning, names, found);
  return found;
}

/** False where jsonFields is null; `found` has then what stands before the reason. */
function findFields(body: Buffer, names: readonly string[], found: Map<string, Span>): boolean {
  let at = skipSpace(body, startsWithMark(body) ? 3 : 0);
  if (body[at] !== OPEN_OBJECT) return false;
  at = skipSpace(body, at + 1);
  if (body[at] === CLOSE_OBJECT) return isEnd(body, at + 1);
  for (let count = 0; count < MAX_FIELDS; count++) {
    if (body[at] !== QUOTE) return false;
    const nameEnd = stringEnd(body, at + 1);
    if (nameEnd < 0) return false;
    const name = nameAmong(names, body, at + 1, nameEnd);
    at = skipSpace(body, nameEnd + 1);
    if (body[at] !== COLON) return false;
    const start = skipSpace(body, at + 1);
    const end = valueEnd(body, start);
    if (end <= start) return false;
    if (name !== undefined) {
      if (found.has(name)) return false;
      found.set(name, { start, end });
    }
    at = skipSpace(body, end);
    if (body[at] === CLOSE_OBJECT) return isEnd(body, at + 1);
    if (body[at] !== COMMA) return false;
    at = skipSpace(body, at + 1);
  }
  return false;
}

/** The string at this place; undefined if there is something else, or more than `maxBytes` as written. */
export function stringAt(body: Buffer, span: Span | undefined, maxBytes: number): string | undefined {
  if (!span || span.end - span.start > maxBytes || body[span.start] !== QUOTE) return undefined;
  try {
    return JSON.parse(decodeText(body.subarray(span.start, span.end))) as string;
  } catch {
    return undefined;
  }
}

/** A byte order mark, which is no part of the text. */
function startsWithMark(body: Buffer): boolean {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf;
}

function isEnd(body: Buffer, at: number): boolean {
  return skipSpace(body, at) === body.length;
}

// Reading before the end of a buffer gives a number; saying so, and never reading behind it, makes these loops three times as fast.

function skipSpace(body: Buffer, from: number): number {
  const { length } = body;
  let at = from;
  while (at < length) {
    const byte = body[at] as number;
    if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) return at;
    at++;
  }
  return at;
}

/** Index of the quote that ends the string whose first byte this is; -1: none does. */
function stringEnd(body: Buffer, from: number): number {
  let at = from;
  for (let tries = 0; tries < ESCAPED_QUOTES; tries++) {
    const quote = body.indexOf(QUOTE, at);
    if (quote < 0) return -1;
    if (!isEscaped(body, at, quote)) return quote;
    at = quote + 1;
  }
  return closingQuote(body, at);
}

/** Whether the byte has an odd number of backslashes before it. None before `from` counts. */
function isEscaped(body: Buffer, from: number, at: number): boolean {
  let first = at;
  while (first > from && body[first - 1] === BACKSLASH) first--;
  return (at - first) % 2 === 1;
}

/** Where the value that begins here ends; -1: nowhere. */
function valueEnd(body: Buffer, start: number): number {
  const first = body[start] ?? 0;
  if (first === QUOTE) return stringEnd(body, start + 1) + 1 || -1;
  if ((first | BRACE_BIT) === OPEN_OBJECT) return nestedEnd(body, start + 1, MAX_DEPTH);
  let at = start;
  while (isPrimitive(body[at])) at++;
  return at;
}

/** Numbers, true, false, null. */
function isPrimitive(byte: number | undefined): boolean {
  return (
    byte !== undefined &&
    ((byte >= 0x30 && byte <= 0x39) ||
      (byte >= 0x61 && byte <= 0x7a) ||
      byte === 0x2d ||
      byte === 0x2b ||
      byte === 0x2e ||
      byte === 0x45)
  );
}

function nameAmong(names: readonly string[], body: Buffer, start: number, end: number): string | undefined {
  for (let i = 0; i < names.length; i++) {
    const name = names[i] ?? '';
    // Any letter of it may be written as \u006e.
    if (end - start >= name.length && end - start <= 6 * name.length && isName(name, body, start, end))
      return name;
  }
  return undefined;
}

/** Names are ASCII without quotes, slashes and control characters, so that \u is the only escape that can stand for a letter. */
function isName(name: string, body: Buffer, start: number, end: number): boolean {
  let at = start;
  for (let i = 0; i < name.length; i++) {
    if (at >= end) return false;
    let unit = body[at] ?? 0;
    at++;
    if (unit === BACKSLASH) {
      if (body[at] !== LOWER_U || at + 5 > end) return false;
      unit = hexUnit(body, at + 1);
      at += 5;
    }
    if (unit !== name.charCodeAt(i)) return false;
  }
  return at === end;
}

/** The UTF-16 unit of four hex digits; -1 if they are none. */
export function hexUnit(body: Buffer, at: number): number {
  let unit = 0;
  for (let i = at; i < at + 4; i++) {
    const byte = body[i] ?? 0;
    const letter = byte | 0x20;
    const digit =
      byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
    if (digit < 0) return -1;
    unit = (unit << 4) | digit;
  }
  return unit;
}

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
