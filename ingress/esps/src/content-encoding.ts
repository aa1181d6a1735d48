import { gunzipSync } from 'node:zlib';
import type { EspAdapter, EspRequest, HttpFacts } from './adapter.ts';

/** Bytes that a request may unpack to when it is only looked at; in service, the source's own limit holds. */
const MOST_BYTES = 16 * 1_048_576;

/**
 * Whether a body is compressed in a way that the ESP uses. It says so in a header; what has gone through a proxy that knows
 * better may only look like it, and no body that is not compressed begins with these two bytes.
 */
export function isGzip(
  { contentEncodings = [] }: Pick<HttpFacts, 'contentEncodings'>,
  encoding: string | undefined,
  body: Buffer,
): boolean {
  if (!contentEncodings.includes('gzip')) return false;
  return encoding?.trim().toLowerCase() === 'gzip' || (body[0] === 0x1f && body[1] === 0x8b);
}

/** The request as it is verified and read: unpacked, if this ESP compresses. Undefined: it cannot be unpacked. */
export function unpackedRequest(adapter: EspAdapter, request: EspRequest): EspRequest | undefined {
  if (!isGzip(adapter.http, request.headers['content-encoding'], request.body)) return request;
  const { 'content-encoding': _, ...headers } = request.headers;
  try {
    return { ...request, headers, body: gunzipSync(request.body, { maxOutputLength: MOST_BYTES }) };
  } catch {
    return undefined;
  }
}
