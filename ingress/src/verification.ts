import type { EspRequest, Handshake, Verdict } from '@email-events/esps';
import { Refused } from './codes.ts';
import type { DocumentFetcher } from './document-fetcher.ts';
import { ReplayGuard } from './replay-guard.ts';
import type { Source } from './sources.ts';

/** What verification needs of the outside; a DocumentFetcher in service. */
export type Outside = Pick<DocumentFetcher, 'document' | 'visit'>;

/** A signature names one certificate. */
const MAX_DOCUMENTS = 2;

/** Does for the adapters' verifiers what needs the outside world or a memory. */
export class Verification {
  readonly #outside: Outside;
  readonly #replays = new ReplayGuard();

  constructor(outside: Outside) {
    this.#outside = outside;
  }

  /** Returns the handshake if the request is one. Throws Refused for a request that is not genuine. */
  verify(source: Source, request: EspRequest): Handshake | undefined | Promise<Handshake | undefined> {
    const verdict = source.verifier.verify(request, source.resources);
    return verdict.outcome === 'needs'
      ? this.#withDocuments(source, request, verdict)
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

  async #withDocuments(source: Source, request: EspRequest, first: Verdict): Promise<Handshake | undefined> {
    const resources = new Map(source.resources);
    let verdict = first;
    for (let i = 0; i < MAX_DOCUMENTS && verdict.outcome === 'needs'; i++) {
      resources.set(verdict.url, await this.#fetch(verdict.url));
      verdict = source.verifier.verify(request, resources);
    }
    return this.#judge(source, request, verdict);
  }

  async #fetch(url: string): Promise<string> {
    try {
      return await this.#outside.document(url);
    } catch (cause) {
      throw new Refused('INGRESS_DOCUMENT_UNAVAILABLE', { cause });
    }
  }

  #judge(source: Source, { body }: EspRequest, verdict: Verdict): Handshake | undefined {
    if (verdict.outcome === 'needs') throw new Refused('CERTIFICATE_UNUSABLE');
    if (verdict.outcome === 'refused') throw new Refused(verdict.code);
    const { replayToken, handshake } = verdict;
    if (replayToken !== undefined && !this.#replays.accept(source.name, replayToken, body)) {
      throw new Refused('TOKEN_REPLAYED');
    }
    return handshake;
  }
}
