import {
  type Draft,
  makeCredentials,
  type SenderCredentials,
  type SimulatedEsp,
  secretFiles,
  senders,
  sourcesFor,
  type WireRequest,
} from '@email-events/dev/simulate';

/** What `sources.<name>` says beside secrets. */
export interface Trust {
  readonly suppresses: 'all' | 'own-streams' | 'nothing';
}

/** Somebody with a webhook of every ESP and the keys for it: what is sent in this name is genuine, whatever it says. */
export class Account {
  readonly name: string;
  readonly #credentials: SenderCredentials;
  readonly #trust: Trust;
  readonly #signers = new Map<SimulatedEsp, ReturnType<(typeof senders)[SimulatedEsp]['signer']>>();

  private constructor(name: string, credentials: SenderCredentials, trust: Trust) {
    this.name = name;
    this.#credentials = credentials;
    this.#trust = trust;
  }

  static async create(name: string, trust: Trust): Promise<Account> {
    return new Account(name, await makeCredentials(), trust);
  }

  /** The webhook of one ESP. */
  sourceOf(esp: SimulatedEsp): string {
    return `${this.name}-${esp}`;
  }

  /** What the pipeline must be configured with. Secrets stand for themselves. */
  sourcesOf(esps: readonly SimulatedEsp[]): { readonly [source: string]: object } {
    const files: { readonly [file: string]: string } = secretFiles(this.#credentials);
    const entries = sourcesFor(this.#credentials, (file) => files[file] ?? '');
    return Object.fromEntries(
      esps.map((esp) => [this.sourceOf(esp), { ...entries[esp], account: this.name, ...this.#trust }]),
    );
  }

  /** As this ESP would send it now. */
  request(esp: SimulatedEsp, draft: Draft, now = Date.now()): WireRequest {
    const signer = this.#signers.get(esp) ?? senders[esp].signer(this.#credentials);
    this.#signers.set(esp, signer);
    const { method = 'POST', query = '', headers, body } = signer(draft, now);
    return { method, path: pathOf(this.sourceOf(esp), query), headers, body };
  }
}

export const pathOf = (source: string, query = '') => `/webhooks/email-events/${source}${query}`;
