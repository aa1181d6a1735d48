import { isUtf8 } from 'node:buffer';
import { type EspRequest, Refusal } from '../adapter.ts';
import { decodeForeign } from './foreign-bytes.ts';

/** Fields of a form in the order sent; names may repeat. */
export type FormFields = readonly (readonly [name: string, value: string])[];

export type BodyKind = 'json' | 'urlencoded' | 'multipart';

/** The kind that the content type names; anything that is no form is read as JSON. */
export function bodyKind({ headers }: Pick<EspRequest, 'headers'>): BodyKind {
  const type = mediaType(headers['content-type']);
  if (type === 'application/x-www-form-urlencoded') return 'urlencoded';
  return type === 'multipart/form-data' ? 'multipart' : 'json';
}

/** The body as form fields. Throws Refusal if it is none. */
export function parseForm(request: EspRequest): FormFields {
  if (bodyKind(request) === 'multipart')
    return multipart(request).map(([name, value]) => [name, textOfBytes(value)] as const);
  return [...new URLSearchParams(request.body.toString('utf8'))];
}

/**
 * Last values of some names, exactly as parseForm has them, at the cost of looking for them: for a body that is not verified.
 * A value that is longer than `maxBytes` counts as absent. Throws Refusal if the body is no form.
 */
export function lastFields(
  request: EspRequest,
  names: readonly string[],
  maxBytes: number,
): { readonly [name: string]: string | undefined } {
  const plain = bodyKind(request) === 'multipart';
  const fields = plain ? multipart(request) : encodedFields(withoutMark(request.body));
  const found = names.map((wanted) => {
    const value = fields.findLast(([name]) => name === wanted)?.[1];
    if (value === undefined || value.length > maxBytes) return [wanted, undefined] as const;
    return [wanted, plain ? textOfBytes(value) : decodedValue(value)] as const;
  });
  return Object.fromEntries(found);
}

function multipart({ headers, body }: EspRequest): readonly ByteField[] {
  return multipartFields(headers['content-type'] ?? '', body);
}

/** URLSearchParams drops one question mark at the beginning. */
function withoutMark(body: Buffer): Buffer {
  return body[0] === 0x3f ? body.subarray(1) : body;
}

function decodedValue(encoded: Buffer): string | undefined {
  return new URLSearchParams(`v=${encoded.toString('utf8')}`).get('v') ?? undefined;
}

/**
 * Fields of an urlencoded body as the bytes that the ESP encoded: it signs these bytes, in any character encoding.
 * Throws Refusal for more fields than any ESP sends.
 */
export function parseFormBytes({ body }: EspRequest): readonly ByteField[] {
  return encodedFields(body).map(([name, value]) => [name, percentDecoded(value)] as const);
}

/** The same of a body that is not verified. Null: an escape in it is none, which no encoder writes. Throws as parseFormBytes does. */
export function strictFormBytes({ body }: EspRequest): readonly ByteField[] | null {
  const fields: ByteField[] = [];
  for (const [name, value] of encodedFields(body)) {
    const decoded = strictlyDecoded(value);
    if (!decoded) return null;
    fields.push([name, decoded]);
  }
  return fields;
}

/** First value of a name. */
export function firstField(fields: FormFields, name: string): string | undefined {
  return fields.find(([other]) => other === name)?.[1];
}

/** Last value of a name. */
export function lastField(fields: FormFields, name: string): string | undefined {
  return fields.findLast(([other]) => other === name)?.[1];
}

function mediaType(contentType: string | undefined): string {
  return (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/** A field of a form as bytes, names as they are meant. */
export type ByteField = readonly [name: string, value: Buffer];

/** No ESP sends so many. Looked for before anything is decoded, since the body is not verified yet. */
const MAX_FIELDS = 1000;
const LONGEST_HEAD = 8_192;
const LONGEST_NAME = 1_024;

const AND = 0x26;
const EQUALS = 0x3d;
const PERCENT = 0x25;
const PLUS = 0x2b;
const CR = 0x0d;

/** Bytes as text: what is no UTF-8 is kept apart (see decodeForeign). */
export function textOfBytes(bytes: Buffer): string {
  return isUtf8(bytes) ? bytes.toString('utf8') : decodeForeign(bytes);
}

/**
 * The fields of an urlencoded body, values still encoded. One pass; what is decoded are the names.
 * Throws Refusal for more fields than any ESP sends.
 */
export function encodedFields(body: Buffer): readonly ByteField[] {
  const fields: ByteField[] = [];
  for (let at = 0, pieces = 0; at < body.length; pieces++) {
    // Nothing between two separators is no field, but is looked at too.
    if (pieces > MAX_FIELDS) throw unreadable('a form of too many fields');
    const and = body.indexOf(AND, at);
    const end = and < 0 ? body.length : and;
    if (end > at) {
      const field = body.subarray(at, end);
      const equals = field.indexOf(EQUALS);
      const name = equals < 0 ? field : field.subarray(0, equals);
      if (name.length > LONGEST_NAME) throw unreadable('a form with a name that is none');
      const value = equals < 0 ? field.subarray(field.length) : field.subarray(equals + 1);
      fields.push([textOfBytes(percentDecoded(name)), value]);
    }
    at = end + 1;
  }
  return fields;
}

/** Decodes percent-encoding and plus signs. A percent sign without two hex digits stands for itself. */
export function percentDecoded(encoded: Buffer): Buffer {
  const first = firstEncoded(encoded);
  if (first < 0) return encoded;
  const { length: end } = encoded;
  const bytes = Buffer.allocUnsafe(end);
  encoded.copy(bytes, 0, 0, first);
  const hex = HEX;
  let length = first;
  for (let at = first; at < end; at++) {
    const byte = encoded[at] as number;
    if (byte === 0x25 && at + 2 < end) {
      const high = hex[encoded[at + 1] as number] as number;
      const low = hex[encoded[at + 2] as number] as number;
      if ((high | low) >= 0) {
        bytes[length++] = (high << 4) | low;
        at += 2;
        continue;
      }
    }
    bytes[length++] = byte === 0x2b ? 0x20 : byte;
  }
  return bytes.subarray(0, length);
}

function firstEncoded(encoded: Buffer): number {
  const percent = encoded.indexOf(PERCENT);
  const plus = encoded.indexOf(PLUS);
  return percent < 0 || plus < 0 ? Math.max(percent, plus) : Math.min(percent, plus);
}

/** Value of a hex digit; −1 for what is none, which spoils the whole byte. */
const HEX = Int8Array.from({ length: 256 }, (_, byte) => {
  const digit = Number.parseInt(String.fromCharCode(byte), 16);
  return Number.isNaN(digit) ? -1 : digit;
});

const BOUNDARY = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i;
const DISPOSITION = /^content-disposition:\s*form-data\s*;(.*)$/im;
const FIELD_NAME = /(?:^|;)\s*name=(?:"([^"]*)"|([^\s;"]+))/i;
const FILE_NAME = /;\s*filename\*?=/i;

/**
 * The fields of a multipart body; files are skipped. The libraries for this are streams; an adapter is synchronous, and needs
 * small text fields only. Throws Refusal if it is none.
 */
export function multipartFields(contentType: string, body: Buffer): readonly ByteField[] {
  const match = BOUNDARY.exec(contentType);
  const boundary = match?.[1] ?? match?.[2];
  if (!boundary) throw unreadable('multipart without a boundary');
  const parts = partsOf(body, Buffer.from(`--${boundary}`, 'latin1'));
  return parts.flatMap((part): ByteField[] => {
    const headEnd = part.subarray(0, LONGEST_HEAD).indexOf('\r\n\r\n');
    if (headEnd === -1) throw unreadable('a multipart part without headers');
    const disposition = DISPOSITION.exec(textOfBytes(part.subarray(0, headEnd)))?.[1] ?? '';
    const name = FIELD_NAME.exec(disposition);
    if (!name) throw unreadable('a multipart part without a name');
    return FILE_NAME.test(disposition) ? [] : [[name[1] ?? name[2] ?? '', part.subarray(headEnd + 4)]];
  });
}

/** The parts between the delimiters: a delimiter begins a line, and the last one ends with two more hyphens. */
function partsOf(body: Buffer, delimiter: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  // The first delimiter may have no line end before it.
  let partStart = beginsWith(body, 0, delimiter) ? delimiter.length : -1;
  for (let at = 0; at < body.length; at++) {
    if (body[at] !== CR || body[at + 1] !== 0x0a || body[at + 2] !== 0x2d) continue;
    if (!beginsWith(body, at + 2, delimiter)) continue;
    if (partStart >= 0) parts.push(body.subarray(partStart, at));
    if (parts.length > MAX_FIELDS) throw unreadable('multipart of too many parts');
    partStart = at + 2 + delimiter.length;
    at = partStart - 1;
  }
  if (partStart < 0 || body[partStart] !== 0x2d || body[partStart + 1] !== 0x2d) {
    throw unreadable('multipart without an end');
  }
  return parts;
}

function beginsWith(body: Buffer, at: number, bytes: Buffer): boolean {
  for (let i = 0; i < bytes.length; i++) if (body[at + i] !== bytes[i]) return false;
  return true;
}

function unreadable(message: string): Refusal {
  return new Refusal('NORMALIZE_BODY_UNREADABLE', message);
}

/** By the two bytes that follow a percent sign, as a little-endian number: the byte that they mean; −1: they are no hex digits. */
const MEANT = Int16Array.from({ length: 0x10000 }, (_, pair) => {
  const digits = String.fromCharCode(pair & 0xff, pair >> 8);
  return /^[0-9a-f]{2}$/i.test(digits) ? Number.parseInt(digits, 16) : -1;
});
/** The byte that each byte means by itself: a plus sign means a space. */
const PLAIN = Int16Array.from({ length: 256 }, (_, byte) => (byte === 0x2b ? 0x20 : byte));
/** Bytes that are looked at for two characters. */
const WINDOW = 7;
const STRAY = /%(?![0-9a-f]{2})/i;

/**
 * As percentDecoded, for what is not verified yet. Null: it has a percent sign without two hex digits behind it, which no encoder writes.
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
