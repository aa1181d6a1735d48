import { type RawHeaders, TRACE_HEADER } from '@email-events/core';
import type { EspRequest } from '@email-events/esps';
import { rawUrl } from './raw-url.ts';
import type { Source } from './sources.ts';

const LONGEST_KEPT_HEADER = 1_024;

/** What a request is known by, besides itself. */
export interface Known {
  readonly requestId: string;
  /** The sender's address. */
  readonly sender: string | undefined;
  readonly tokenDigest: string | undefined;
}

/** Headers of the raw record of a genuine request. `trace`: the context of its trace, if it has one. */
export function rawHeadersOf(
  source: Pick<Source, 'keepHeaders' | 'encodeHeaders' | 'urlSecrets'>,
  { method, url, headers, receivedAt }: EspRequest,
  { requestId, sender, tokenDigest }: Known,
  trace?: string,
): RawHeaders {
  const kept: { [name: string]: string } = {};
  for (const name of source.keepHeaders) {
    const value = headers[name];
    if (value !== undefined) kept[name] = value.slice(0, LONGEST_KEPT_HEADER);
  }
  const encoded = source.encodeHeaders({
    requestId,
    receivedAt,
    method,
    url: rawUrl(url, source.urlSecrets.parameter, source.urlSecrets.values),
    contentType: headers['content-type'] ?? null,
    remoteAddress: sender ?? null,
    headers: kept,
    tokenDigest: tokenDigest ?? null,
  });
  return trace === undefined ? encoded : { ...encoded, [TRACE_HEADER]: Buffer.from(trace) };
}
