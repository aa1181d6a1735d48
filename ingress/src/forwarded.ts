import type { IncomingHttpHeaders } from 'node:http';

/** What proxies say of the request that they passed on, each entry by the proxy next to it. */
export interface Forwarding {
  /** Addresses from the sender's to the last proxy's peer, with commas between, as in X-Forwarded-For; undefined: none says. */
  readonly chain: string | undefined;
  /** How the last proxy was asked, in lower case; undefined: it does not say. */
  readonly protocol: string | undefined;
}

/** Which headers are read: `any` is X-Forwarded-* where there is one of them, else Forwarded. */
export type ProxyHeaders = 'any' | 'x-forwarded' | 'forwarded';

/** Only to be believed of a trusted proxy. */
export function forwardingOf(headers: IncomingHttpHeaders, which: ProxyHeaders): Forwarding {
  const chain = joined(headers['x-forwarded-for']);
  const protocols = joined(headers['x-forwarded-proto']);
  const older = chain !== undefined || protocols !== undefined;
  if (which === 'forwarded' || (which === 'any' && !older)) return parseForwarded(joined(headers.forwarded));
  // The last entry is the one that our own proxy wrote.
  return { chain, protocol: protocols?.split(',').at(-1)?.trim().toLowerCase() };
}

const NOTHING: Forwarding = { chain: undefined, protocol: undefined };
const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/i;

/**
 * RFC 7239. A header that is not well-formed says nothing at all: a quote that the sender left open could otherwise swallow what
 * our own proxy wrote behind it.
 */
export function parseForwarded(header: string | undefined): Forwarding {
  const elements = header === undefined ? null : cut(header, ',')?.map(pairsOf);
  if (!elements || elements.some((pairs) => !pairs)) return NOTHING;
  const hops = elements.map((pairs) => pairs?.get('for') ?? '');
  return { chain: hops.join(','), protocol: elements.at(-1)?.get('proto')?.toLowerCase() };
}

function pairsOf(element: string): ReadonlyMap<string, string> | null {
  const pairs = new Map<string, string>();
  for (const pair of cut(element, ';') ?? []) {
    const equals = pair.indexOf('=');
    const name = pair.slice(0, equals).trim().toLowerCase();
    const value = unquoted(pair.slice(equals + 1).trim());
    if (equals < 0 || !TOKEN.test(name) || value === null || pairs.has(name)) return null;
    pairs.set(name, value);
  }
  return pairs;
}

function unquoted(text: string): string | null {
  if (TOKEN.test(text)) return text;
  const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(text)?.[1]?.replace(/\\(.)/g, '$1');
  // An address has no comma; one here would become two hops.
  return quoted === undefined || quoted.includes(',') ? null : quoted;
}

/** Pieces between separators that are not in quotes; null if a quote is left open. */
function cut(text: string, separator: string): string[] | null {
  const pieces: string[] = [];
  let quoted = false;
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (quoted && char === '\\') at++;
    else if (char === '"') quoted = !quoted;
    else if (!quoted && char === separator) {
      pieces.push(text.slice(start, at));
      start = at + 1;
    }
  }
  return quoted ? null : [...pieces, text.slice(start)];
}

function joined(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(',') : value;
}
