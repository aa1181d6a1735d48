import { type CommonConfig, codeOf, type OutputRecord, RELEASED_HEADER } from '@email-events/core';
import { partitionOf, topics } from '@email-events/schemas';
import type { IngressConfig } from '../config.ts';
import { DocumentFetcher } from '../document-fetcher.ts';
import { rawHeadersOf } from '../raw-headers.ts';
import { buildSources, type Sources } from '../sources.ts';
import { type Outside, Verification } from '../verification.ts';
import type { Quarantined } from './record.ts';

type SecondLookConfig = Pick<CommonConfig, 'sources' | 'topics'> & {
  readonly ingress: Pick<IngressConfig['ingress'], 'fetchFromPrivate'>;
};

/** A request that is genuine by now, as the ingress would have written it; or why it still is not. */
export type SecondVerdict = { readonly record: OutputRecord } | { readonly code: string };

/**
 * Verifies kept requests again with the secrets that are configured now, at the time at which they came, so that no signature is too old for having
 * waited. Single-use tokens are good for one body here too.
 */
export class SecondLook {
  readonly #sources: Sources;
  readonly #rawPartitions: number;
  readonly #fetcher: (Outside & { close(): Promise<void> }) | undefined;
  readonly #verification: Verification;
  #turn = 0;

  /** Throws ConfigError. `outside`: instead of the network. */
  constructor({ sources, topics: of, ingress }: SecondLookConfig, outside?: Outside) {
    this.#sources = buildSources(sources);
    this.#rawPartitions = of.rawPartitions;
    const mayReach = ingress.fetchFromPrivate ? { mayReach: () => true } : {};
    this.#fetcher = outside ? undefined : new DocumentFetcher(mayReach);
    this.#verification = new Verification(outside ?? (this.#fetcher as Outside));
  }

  async at({ source: name, request, requestId, sender }: Quarantined): Promise<SecondVerdict> {
    const source = this.#sources.get(name);
    if (!source) return { code: 'INGRESS_SOURCE_UNKNOWN' };
    try {
      const { handshake, tokenDigest } = await this.#verification.verify(source, request);
      // It asked for an answer that nobody waits for any more.
      if (handshake) return { code: 'HANDSHAKE' };
      const known = { requestId, sender: sender ?? undefined, tokenDigest };
      const partition = tokenDigest
        ? partitionOf(tokenDigest, this.#rawPartitions)
        : this.#turn++ % this.#rawPartitions;
      const headers = { ...rawHeadersOf(source, request, known), [RELEASED_HEADER]: Buffer.from('1') };
      return { record: { topic: topics.raw, partition, key: null, value: request.body, headers } };
    } catch (error) {
      return { code: codeOf(error) };
    }
  }

  async close(): Promise<void> {
    await this.#fetcher?.close();
  }
}
