import { isUtf8 } from 'node:buffer';
import { type EspRequest, Refusal } from '../adapter.ts';
import { decodeForeign } from './foreign-bytes.ts';
import { percentDecoded, strictlyDecoded } from './percent-decoding.ts';

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
  // What was verified has no escape that is none; what an earlier version has taken may have.
  return encodedFields(body).map(([name, value]) => [name, strictlyDecoded(value) ?? percentDecoded(value)]);
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
