import { hash } from 'node:crypto';

/** What email.raw keeps of a request besides its body. */
export interface RawRequest {
  /** UUIDv7, the X-Request-Id of the answer. */
  readonly requestId: string;
  /** Configured webhook. */
  readonly source: string;
  readonly esp: string;
  /** Account that the source belonged to; null: it named none. */
  readonly account: string | null;
  /** Version of the rules that give its events their ids; 1 in records from before there were versions. */
  readonly identityVersion: number;
  /**
   * Of a request whose signature covers nothing but a token: digest of source and token, 32 hex digits (tokenDigest). All requests of one
   * token lie on one partition. Null: the signature covers the body, or nothing.
   */
  readonly tokenDigest: string | null;
  /** Epoch milliseconds. */
  readonly receivedAt: number;
  readonly method: string;
  /** Path and query, without what authenticates. */
  readonly url: string;
  readonly contentType: string | null;
  readonly remoteAddress: string | null;
  /** The ESP's allow-listed headers, lower-case names. */
  readonly headers: { readonly [name: string]: string };
}

/** Headers of a record of email.raw. Three only: each costs a JavaScript client about 3 µs. */
export interface RawHeaders {
  [name: string]: Buffer;
  'request-id': Buffer;
  source: Buffer;
  request: Buffer;
}

/** A request to keep: without a version its events get the ids of version 1. */
export type NewRawRequest = Omit<RawRequest, 'account' | 'identityVersion' | 'tokenDigest'> &
  Partial<Pick<RawRequest, 'account' | 'identityVersion' | 'tokenDigest'>>;

export function encodeRawHeaders(request: NewRawRequest): RawHeaders {
  const { requestId, source, ...rest } = request;
  return {
    'request-id': Buffer.from(requestId),
    source: Buffer.from(source),
    request: Buffer.from(JSON.stringify(rest)),
  };
}

/** Undefined if these are not the headers of a record of email.raw. */
export function decodeRawHeaders(headers: { readonly [name: string]: unknown }): RawRequest | undefined {
  const [requestId, source, request] = ['request-id', 'source', 'request'].map((name) =>
    textOf(headers[name]),
  );
  if (requestId === undefined || source === undefined || request === undefined) return undefined;
  try {
    const rest = JSON.parse(request) as Partial<RawRequest>;
    if (typeof rest.esp !== 'string' || typeof rest.receivedAt !== 'number') return undefined;
    return {
      requestId,
      source,
      esp: rest.esp,
      account: typeof rest.account === 'string' ? rest.account : null,
      identityVersion: typeof rest.identityVersion === 'number' ? rest.identityVersion : 1,
      tokenDigest: typeof rest.tokenDigest === 'string' ? rest.tokenDigest : null,
      receivedAt: rest.receivedAt,
      method: rest.method ?? 'POST',
      url: rest.url ?? '/',
      contentType: rest.contentType ?? null,
      remoteAddress: rest.remoteAddress ?? null,
      headers: rest.headers ?? {},
    };
  } catch {
    return undefined;
  }
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return value instanceof Uint8Array ? Buffer.from(value).toString() : undefined;
}

/** Tells tokens apart without telling them: 32 hex digits. */
export const tokenDigest = (source: string, token: string) =>
  hash('sha256', JSON.stringify([source, token]), 'hex').slice(0, 32);
