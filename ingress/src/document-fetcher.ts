import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { CodedError } from '@email-events/schemas/errors';
import ipaddr from 'ipaddr.js';
import { LRUCache } from 'lru-cache';
import type { Agent, Dispatcher } from 'undici';

/** A fetch that did not bring what it should; the caller may ask again. */
export class FetchFailed extends CodedError<'INGRESS_DOCUMENT_UNAVAILABLE'> {
  override readonly name = 'FetchFailed';

  constructor(message: string, options?: ErrorOptions) {
    super('INGRESS_DOCUMENT_UNAVAILABLE', message, options);
  }
}

export interface FetcherOptions {
  readonly timeoutMs?: number;
  readonly maxBytes?: number;
  /** Fetches under way at a time, so that junk requests cannot make us a flood of our own. */
  readonly maxConcurrent?: number;
  /** Certificate authority, for a server that the system's list does not know. */
  readonly ca?: string;
  /** How names are looked up; default: as the system does. */
  readonly resolve?: Resolve;
  /** Which addresses may be connected to; default: those of the open internet. */
  readonly mayReach?: (address: string) => boolean;
}

const HOUR_MS = 3_600_000;
const FAILURE_MS = 5_000;

/**
 * Fetches what an adapter asks for; the adapter has checked that the URL leads to the vendor. HTTPS only, no redirects,
 * to the open internet only, bounded in time, size and number. Documents are kept for a day, failures for some seconds.
 */
export class DocumentFetcher {
  readonly #makeAgent: () => Promise<Agent>;
  /** Made for the first fetch: most ESPs need none, and undici takes about 10 MB. */
  #agent: Promise<Agent> | undefined;
  readonly #timeoutMs: number;
  readonly #maxBytes: number;
  readonly #maxConcurrent: number;
  readonly #mayReach: (address: string) => boolean;
  readonly #documents = new LRUCache<string, string>({ max: 200, ttl: 24 * HOUR_MS });
  readonly #failures = new LRUCache<string, true>({ max: 1_000, ttl: FAILURE_MS });
  readonly #underWay = new Map<string, Promise<string>>();
  #running = 0;

  constructor({
    timeoutMs = 5_000,
    maxBytes = 65_536,
    maxConcurrent = 8,
    ca,
    resolve = systemResolve,
    mayReach = isPublic,
  }: FetcherOptions = {}) {
    this.#mayReach = mayReach;
    this.#timeoutMs = timeoutMs;
    this.#maxBytes = maxBytes;
    this.#maxConcurrent = maxConcurrent;
    const options: Agent.Options = {
      connect: {
        timeout: timeoutMs,
        lookup: guardedLookup(resolve, mayReach),
        ...(ca === undefined ? {} : { ca }),
      },
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      maxResponseSize: maxBytes,
    };
    this.#makeAgent = async () => {
      const undici = await import('undici');
      return new undici.Agent(options);
    };
  }

  /** A document that was fetched before, if it is still kept. */
  known(url: string): string | undefined {
    return this.#documents.get(url);
  }

  /** The document at this URL, fetched at most once at a time. Throws FetchFailed. */
  document(url: string): Promise<string> {
    const known = this.#documents.get(url);
    if (known !== undefined) return Promise.resolve(known);
    if (this.#failures.has(url)) return Promise.reject(new FetchFailed('failed a moment ago'));
    const underWay = this.#underWay.get(url);
    if (underWay) return underWay;
    const fetching = this.#get(url)
      .then(
        (text) => {
          this.#documents.set(url, text);
          return text;
        },
        (error: unknown) => {
          this.#failures.set(url, true);
          throw error;
        },
      )
      .finally(() => this.#underWay.delete(url));
    this.#underWay.set(url, fetching);
    return fetching;
  }

  /** GETs the URL for its effect. Throws FetchFailed unless the answer is 2xx. */
  async visit(url: string): Promise<void> {
    await this.#get(url);
  }

  async close(): Promise<void> {
    await (await this.#agent?.catch(() => undefined))?.destroy();
  }

  async #get(url: string): Promise<string> {
    const { protocol, origin, pathname, search, hostname, username, password } = parse(url);
    if (protocol !== 'https:') throw new FetchFailed('not https');
    if (username !== '' || password !== '' || !isAllowedHost(hostname, this.#mayReach))
      throw new FetchFailed('not allowed');
    if (this.#running >= this.#maxConcurrent) throw new FetchFailed('too many fetches under way');
    this.#running += 1;
    const signal = AbortSignal.timeout(this.#timeoutMs);
    try {
      this.#agent ??= this.#makeAgent().catch((error) => {
        // Else one file that could not be read would be the answer to every fetch from now on.
        this.#agent = undefined;
        throw error;
      });
      const agent = await this.#agent;
      const response = await agent.request({
        origin,
        path: `${pathname}${search}`,
        method: 'GET',
        signal,
      });
      return await this.#read(response);
    } catch (cause) {
      throw cause instanceof FetchFailed ? cause : new FetchFailed('no answer', { cause });
    } finally {
      this.#running -= 1;
    }
  }

  async #read({ statusCode, body }: Dispatcher.ResponseData): Promise<string> {
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > this.#maxBytes) throw new FetchFailed('too large');
      chunks.push(chunk);
    }
    if (statusCode < 200 || statusCode > 299) throw new FetchFailed(`status ${statusCode}`);
    return Buffer.concat(chunks).toString('utf8');
  }
}

function parse(url: string): URL {
  try {
    return new URL(url);
  } catch (cause) {
    throw new FetchFailed('no URL', { cause });
  }
}

/** All addresses of a name. */
export type Resolve = (hostname: string) => Promise<readonly LookupAddress[]>;

export const systemResolve: Resolve = (hostname) => lookup(hostname, { all: true });

/** Whether an address is one of the open internet: neither this machine nor a network behind it, in any notation. */
export function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  if (parsed.range() !== 'rfc6052') return parsed.range() === 'unicast';
  // An IPv4 address behind a translator.
  const bytes = parsed.toByteArray().slice(12);
  return ipaddr.fromByteArray(bytes).range() === 'unicast';
}

/**
 * Looks a name up for a connection, and finds nothing unless all of its addresses may be reached: what the name leads to is decided once,
 * and that is what is connected to.
 */
export function guardedLookup(resolve: Resolve, mayReach: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname).then(
      (addresses) => {
        const [first] = addresses;
        if (!first || !addresses.every(({ address }) => mayReach(address))) {
          callback(Object.assign(new Error('no address that may be reached'), { code: 'ENOTFOUND' }), '');
        } else if (options.all) callback(null, [...addresses]);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, ''),
    );
  };
}

/** A host that is written as an address is not looked up. */
export function isAllowedHost(hostname: string, mayReach: (address: string) => boolean): boolean {
  const bare = hostname.replace(/^\[|\]$/g, '');
  return isIP(bare) === 0 || mayReach(bare);
}
