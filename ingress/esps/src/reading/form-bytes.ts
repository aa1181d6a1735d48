import { isUtf8 } from 'node:buffer';
import { Refusal } from '../adapter.ts';
import { decodeForeign } from './foreign-bytes.ts';

/** A field of a form as bytes, names as they are meant. */
export type ByteField = readonly [name: string, value: Buffer];

/** No ESP sends so many. Looked for before anything is decoded, since nobody has verified the body yet. */
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

/** What percent-encoding and plus signs mean. A percent sign without two hex digits stands for itself. */
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

/** What stands between the delimiters: a delimiter begins a line, and the last one ends with two more hyphens. */
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
