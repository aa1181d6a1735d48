import {
  type Draft,
  type DraftSigner,
  makeCredentials,
  type SenderCredentials,
  secretFiles,
  senderOf,
  sourcesFor,
  type WireRequest,
  wireRequest,
} from '@email-events/dev/simulate';
import { Agent, type Dispatcher } from 'undici';

/** How one request was answered. */
export interface Reply {
  /** 0: no answer. */
  readonly status: number;
  /** The ingress's X-Request-Id. */
  readonly requestId: string | null;
  readonly tookMs: number;
}

const TIMEOUT_MS = 60_000;

/** Sends requests as they are, over its own connections. */
export class Client {
  readonly #origin: string;
  readonly #agent: Agent;

  constructor(origin: string, connections: number) {
    this.#origin = origin;
    this.#agent = new Agent({
      ...{ connections, pipelining: 1, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS },
      // A refusal comes before a large body is sent; what is left of it is not waited for.
      ...{ keepAliveTimeout: 4_000 },
    });
  }

  /** Never rejects. */
  async send({ method, path, headers, body }: WireRequest): Promise<Reply> {
    const began = performance.now();
    const answer = await this.#request({
      ...{ origin: this.#origin, method, path, headers, body: method === 'GET' ? null : body },
    });
    return { ...answer, tookMs: performance.now() - began };
  }

  async #request(options: Dispatcher.RequestOptions): Promise<Omit<Reply, 'tookMs'>> {
    try {
      const { statusCode, headers, body } = await this.#agent.request(options);
      const { 'x-request-id': requestId } = headers;
      // The answer has been given; the connection does not matter any more.
      await body.dump().catch(() => {});
      return { status: statusCode, requestId: typeof requestId === 'string' ? requestId : null };
    } catch {
      return { status: 0, requestId: null };
    }
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }
}

/** The settings of `sources.<name>` beside secrets. */
interface Trust {
  readonly suppresses: 'all' | 'own-streams' | 'nothing';
}

/** An account with a webhook at every ESP and the keys for it: a request in its name is genuine, true or not. */
export class Account {
  readonly name: string;
  readonly #credentials: SenderCredentials;
  readonly #trust: Trust;
  readonly #signers = new Map<string, DraftSigner>();

  private constructor(name: string, credentials: SenderCredentials, trust: Trust) {
    this.name = name;
    this.#credentials = credentials;
    this.#trust = trust;
  }

  static async create(name: string, trust: Trust): Promise<Account> {
    return new Account(name, await makeCredentials(), trust);
  }

  /** The webhook of one ESP. */
  sourceOf(esp: string): string {
    return `${this.name}-${esp}`;
  }

  /** The sources that the pipeline must be configured with. Secrets stand for themselves. */
  sourcesOf(esps: readonly string[]): { readonly [source: string]: object } {
    const files = secretFiles(this.#credentials);
    const entries = sourcesFor(this.#credentials, (file) => files[file] ?? '');
    return Object.fromEntries(
      esps.map((esp) => [this.sourceOf(esp), { ...entries[esp], account: this.name, ...this.#trust }]),
    );
  }

  /** As this ESP would send it now. */
  request(esp: string, draft: Draft, now = Date.now()): WireRequest {
    const signer = this.#signers.get(esp) ?? senderOf(esp).signer(this.#credentials[esp]);
    this.#signers.set(esp, signer);
    return wireRequest(signer(draft, pathOf(this.sourceOf(esp)), now));
  }
}

export const pathOf = (source: string, query = '') => `/webhooks/email-events/${source}${query}`;
