import type { EspRequest } from '../adapter.ts';
import { type ByteField, encodedFields, multipartFields, percentDecoded, textOfBytes } from './form-bytes.ts';
import { strictlyDecoded } from './percent-strict.ts';

/** Fields of a form in the order sent; names may repeat. */
export type FormFields = readonly (readonly [name: string, value: string])[];

export type BodyKind = 'json' | 'urlencoded' | 'multipart';

/** What the content type says; anything that is no form is read as JSON. */
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
 * Last values of some names, exactly as parseForm has them, at the cost of looking for them: for a body that nobody has verified.
 * What is longer than `maxBytes` is not there. Throws Refusal if the body is no form.
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
 * Fields of an urlencoded body as the bytes that were encoded: what is signed, whatever encoding they are in.
 * Throws Refusal for more fields than any ESP sends.
 */
export function parseFormBytes({ body }: EspRequest): readonly ByteField[] {
  return encodedFields(body).map(([name, value]) => [name, percentDecoded(value)] as const);
}

/** The same of a body that nobody has verified. Null: an escape in it is none, which no encoder writes. Throws as parseFormBytes does. */
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
