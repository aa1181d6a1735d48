import type { IncomingHttpHeaders } from 'node:http';
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Range = [Address, number];

/** A list of networks, v4 and v6. A v4 address that comes as ::ffff:1.2.3.4 is the v4 address. */
export class AddressList {
  readonly #ranges: readonly Range[];

  /** Entries are CIDRs or single addresses. Throws a message for the operator for an entry that is neither. */
  constructor(entries: readonly string[]) {
    this.#ranges = entries.map(rangeOf);
  }

  get size(): number {
    return this.#ranges.length;
  }

  /** No for what is no address at all. */
  contains(text: string | undefined): boolean {
    // Most deployments name no addresses: then none is read.
    if (this.#ranges.length === 0) return false;
    const address = parseAddress(text);
    if (!address) return false;
    return this.#ranges.some(
      ([network, bits]) => network.kind() === address.kind() && address.match(network as never, bits),
    );
  }
}

/**
 * Who sent the request: the peer, or, if that is a trusted proxy, the rightmost X-Forwarded-For entry that is not one.
 * The sender may have written the entries further left himself. Undefined if that entry is no address.
 */
export function clientAddress(
  peer: string | undefined,
  forwardedFor: string | undefined,
  trusted: AddressList,
): string | undefined {
  if (trusted.size === 0 || forwardedFor === undefined || !trusted.contains(peer)) return plainPeer(peer);
  const chain = forwardedFor.split(',');
  for (let entry = chain.pop(); entry !== undefined; entry = chain.pop()) {
    const hop = plain(withoutPort(entry.trim()));
    if (hop === undefined || chain.length === 0 || !trusted.contains(hop)) return hop;
  }
  return undefined;
}

/** Listening on (or coming from) it stays on this machine. */
export function isLoopback(host: string | undefined): boolean {
  return host === 'localhost' || parseAddress(host)?.range() === 'loopback';
}

/** The owner of an IPv6 address usually has all 64 bits of its network; an IPv4 address stands for itself. */
export function networkOf(peer: string | undefined): string {
  const address = parseAddress(peer);
  return address?.kind() === 'ipv6'
    ? (address as ipaddr.IPv6).parts.slice(0, 4).join(':')
    : String(address ?? '');
}

/** A socket's own address is well-formed; only a mapped one has another usual form. */
function plainPeer(peer: string | undefined): string | undefined {
  return peer?.startsWith('::ffff:') ? plain(peer) : peer;
}

/** The address in its usual form. */
function plain(text: string | undefined): string | undefined {
  return parseAddress(text)?.toString();
}

function parseAddress(text: string | undefined): Address | undefined {
  if (text === undefined) return undefined;
  // "127.1" and "0x7f.1" are addresses to some resolvers; no honest sender writes them so.
  if (text.includes(':') ? !ipaddr.IPv6.isValid(text) : !ipaddr.IPv4.isValidFourPartDecimal(text))
    return undefined;
  return ipaddr.process(text);
}

function rangeOf(entry: string): Range {
  try {
    const [network, bits] = entry.includes('/') ? ipaddr.parseCIDR(entry) : [ipaddr.parse(entry), undefined];
    const mapped = network.kind() === 'ipv6' && (network as ipaddr.IPv6).isIPv4MappedAddress();
    if (mapped && (bits ?? 128) >= 96) return [(network as ipaddr.IPv6).toIPv4Address(), (bits ?? 128) - 96];
    return [network, bits ?? (network.kind() === 'ipv4' ? 32 : 128)];
  } catch {
    throw new Error(`${entry} is neither an address nor a CIDR`);
  }
}

/** Some proxies append the port: 1.2.3.4:567 or [::1]:567. */
function withoutPort(entry: string): string {
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(entry);
  if (bracketed?.[1] !== undefined) return bracketed[1];
  return /^[\d.]+:\d+$/.test(entry) ? entry.slice(0, entry.indexOf(':')) : entry;
}

/** The headers in which proxies describe the request that they passed on; each proxy adds an entry. */
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
