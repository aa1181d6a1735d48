import { hash } from 'node:crypto';
import { tokenDigest } from '@email-events/core';
import type { EspRequest, Handshake, Verdict } from '@email-events/esps';
import { LRUCache } from 'lru-cache';
import { Refused } from './codes.ts';
import type { DocumentFetcher } from './document-fetcher.ts';
import type { Source } from './sources.ts';

/** Fetches documents and confirms subscriptions for verification; a DocumentFetcher in service. */
export type Outside = Pick<DocumentFetcher, 'document' | 'known' | 'visit'>;

/** A signature names one certificate. */
const MAX_DOCUMENTS = 2;

/** The result for a genuine request. */
export interface Proof {
  readonly handshake: Handshake | undefined;
  /** Of the single-use token that was signed in place of the body (see tokenDigest of core). */
  readonly tokenDigest: string | undefined;
}

const PROVEN: Proof = { handshake: undefined, tokenDigest: undefined };

/** Does for the adapters' verifiers what needs the outside world or a memory. */
export class Verification {
  readonly #outside: Outside;
  readonly #replays = new ReplayGuard();

  constructor(outside: Outside) {
    this.#outside = outside;
  }

  /** Throws Refused for a request that is not genuine. `mayFetch`: whether a document may be fetched for it. */
  verify(source: Source, request: EspRequest, mayFetch: () => boolean = () => true): Proof | Promise<Proof> {
    const verdict = source.verifier.verify(request, source.resources);
    return verdict.outcome === 'needs'
      ? this.#withDocuments(source, request, verdict, mayFetch)
      : this.#judge(source, request, verdict);
  }

  /** Does what the handshake asks for. Throws Refused if it did not work out. */
  async complete(handshake: Handshake): Promise<void> {
    if (handshake.kind === 'acknowledge') return;
    try {
      await this.#outside.visit(handshake.url);
    } catch (cause) {
      throw new Refused('INGRESS_HANDSHAKE_FAILED', { cause });
    }
  }

  async #withDocuments(
    source: Source,
    request: EspRequest,
    first: Verdict,
    mayFetch: () => boolean,
  ): Promise<Proof> {
    const resources = new Map(source.resources);
    let verdict = first;
    for (let i = 0; i < MAX_DOCUMENTS && verdict.outcome === 'needs'; i++) {
      resources.set(verdict.url, await this.#fetch(verdict.url, mayFetch));
      verdict = source.verifier.verify(request, resources);
    }
    return this.#judge(source, request, verdict);
  }

  async #fetch(url: string, mayFetch: () => boolean): Promise<string> {
    const known = this.#outside.known(url);
    if (known !== undefined) return known;
    if (!mayFetch()) throw new Refused('INGRESS_DOCUMENT_UNAVAILABLE');
    try {
      return await this.#outside.document(url);
    } catch (cause) {
      throw new Refused('INGRESS_DOCUMENT_UNAVAILABLE', { cause });
    }
  }

  #judge(source: Source, { body }: EspRequest, verdict: Verdict): Proof {
    if (verdict.outcome === 'needs') throw new Refused('CERTIFICATE_UNUSABLE');
    if (verdict.outcome === 'refused') throw new Refused(verdict.code, { signedAt: verdict.signedAt });
    const { replayToken, handshake } = verdict;
    if (replayToken === undefined) return handshake ? { handshake, tokenDigest: undefined } : PROVEN;
    const digest = tokenDigest(source.name, replayToken);
    if (!this.#replays.accept(digest, body))
      throw new Refused('TOKEN_REPLAYED', { fields: { tokenDigest: digest } });
    return { handshake, tokenDigest: digest };
  }
}

const DAY_MS = 86_400_000;

/**
 * Remembers single-use tokens of signatures that do not cover the body: with such a token anybody who saw it could
 * sign another body. The same token with the same body is an honest redelivery.
 */
export class ReplayGuard {
  readonly #seen = new LRUCache<string, string>({ max: 100_000, ttl: DAY_MS });

  /** No if the token of this digest came with another body before. */
  accept(key: string, body: Buffer): boolean {
    const digest = hash('sha256', body, 'base64');
    const before = this.#seen.get(key);
    if (before === undefined) this.#seen.set(key, digest);
    return before === undefined || before === digest;
  }
}
