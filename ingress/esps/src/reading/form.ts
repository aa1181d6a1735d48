import { type EspRequest, Refusal } from '../adapter.ts';
import { decodeText } from './json.ts';

/** Fields of a form in the order sent; names may repeat. */
export type FormFields = readonly (readonly [name: string, value: string])[];

export type BodyKind = 'json' | 'urlencoded' | 'multipart';

/** What the content type says; anything that is no form is read as JSON. */
export function bodyKind({ headers }: EspRequest): BodyKind {
  const type = mediaType(headers['content-type']);
  if (type === 'application/x-www-form-urlencoded') return 'urlencoded';
  return type === 'multipart/form-data' ? 'multipart' : 'json';
}

/** The body as form fields. Throws Refusal if it is none. */
export function parseForm(request: EspRequest): FormFields {
  if (bodyKind(request) === 'multipart') return parseMultipart(request);
  return [...new URLSearchParams(request.body.toString('utf8'))];
}

/** Fields of an urlencoded body as the bytes that were encoded: what is signed, whatever encoding they are in. */
export function parseFormBytes({ body }: EspRequest): readonly (readonly [name: string, value: Buffer])[] {
  return body
    .toString('latin1')
    .split('&')
    .filter((field) => field !== '')
    .map((field) => {
      const equals = field.indexOf('=');
      const [name, value] = equals === -1 ? [field, ''] : [field.slice(0, equals), field.slice(equals + 1)];
      return [decodeText(percentDecoded(name)), percentDecoded(value)] as const;
    });
}

/** One character of the text is one byte. */
function percentDecoded(text: string): Buffer {
  const bytes = text
    .replaceAll('+', ' ')
    .replace(/%([0-9a-fA-F]{2})/g, (_whole, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1');
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

const BOUNDARY = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i;
const DISPOSITION = /^content-disposition:\s*form-data\s*;(.*)$/im;
const FIELD_NAME = /(?:^|;)\s*name=(?:"([^"]*)"|([^\s;"]+))/i;
const MAX_PARTS = 1000;

// The libraries for this are streams; an adapter is synchronous, and needs small text fields only (files are skipped).
function parseMultipart({ headers, body }: EspRequest): FormFields {
  const match = BOUNDARY.exec(headers['content-type'] ?? '');
  const boundary = match?.[1] ?? match?.[2];
  if (!boundary) throw unreadable('multipart without a boundary');
  const [, ...parts] = `\r\n${decodeText(body)}`.split(`\r\n--${boundary}`, MAX_PARTS + 2);
  const end = parts.pop();
  if (!end?.startsWith('--')) throw unreadable('multipart without an end');
  const fields: (readonly [string, string])[] = [];
  for (const part of parts) {
    const headEnd = part.indexOf('\r\n\r\n');
    if (headEnd === -1) throw unreadable('a multipart part without headers');
    const disposition = DISPOSITION.exec(part.slice(0, headEnd))?.[1] ?? '';
    const name = FIELD_NAME.exec(disposition);
    if (!name) throw unreadable('a multipart part without a name');
    if (!/;\s*filename\*?=/i.test(disposition))
      fields.push([name[1] ?? name[2] ?? '', part.slice(headEnd + 4)]);
  }
  return fields;
}

function unreadable(message: string): Refusal {
  return new Refusal('NORMALIZE_BODY_UNREADABLE', message);
}
