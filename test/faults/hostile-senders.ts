import { setTimeout as delay } from 'node:timers/promises';
import { createRandom } from '@email-events/dev/simulate';
import { createSigner, type Signer } from '@email-events/esps/accounts';
import { Agent, request } from 'undici';

/** What an ESP would say; each signs in another way. The id makes a body its own. */
const BODIES: { readonly [esp: string]: (id: string, padding: string) => string } = {
  sendgrid: (id, padding) => `[{"sg_event_id":"${id}","event":"open","padding":"${padding}"}]\r\n`,
  mailgun: (id, padding) => `{"event-data":{"id":"${id}","event":"opened","padding":"${padding}"}}`,
  postmark: (id, padding) => `{"RecordType":"Open","MessageID":"${id}","padding":"${padding}"}`,
  mailersend: (id, padding) => `{"type":"activity.opened","data":{"id":"${id}","padding":"${padding}"}}`,
  'standard-webhooks': (id, padding) => `{"id":"${id}","type":"opened","padding":"${padding}"}`,
};

export const HONEST_ESPS = Object.keys(BODIES);

export interface HonestOptions {
  readonly port: () => number;
  readonly signers: readonly Signer[];
  readonly seed: number;
  /** Times that a request is sent before it counts as lost. */
  readonly tries: number;
  /** Between requests of one sender. */
  readonly pauseMs?: number;
}

export async function honestSigners(): Promise<Signer[]> {
  return Promise.all(HONEST_ESPS.map((esp) => createSigner(esp)));
}

export function sourcesOf(signers: readonly Signer[]): { [source: string]: object } {
  return Object.fromEntries(signers.map(({ esp, settings }) => [esp, { esp, ...settings }]));
}

/** Longest an ESP waits for the first byte of an answer. A request that nobody answers must be told apart from a slow machine. */
const ANSWER_WITHIN_MS = 30_000;

/** Senders on kept connections, two an ESP. What was answered 200 must be in Kafka. */
export class HonestSenders {
  /** Bodies, one character a byte. */
  readonly sent = new Set<string>();
  /** Bodies that were answered 200. */
  readonly acknowledged = new Set<string>();
  /** Requests that were given up. */
  readonly lost: string[] = [];
  /** Answers other than 200, and errors, by name. */
  readonly mishaps = new Map<string, number>();
  mostTries = 0;
  readonly #options: HonestOptions;
  readonly #agent = new Agent({
    ...{ connections: 10, pipelining: 1, headersTimeout: ANSWER_WITHIN_MS },
    connect: { timeout: ANSWER_WITHIN_MS },
  });
  #made = 0;
  #stopped = false;

  constructor(options: HonestOptions) {
    this.#options = options;
  }

  /** Each sender sends so many requests, one after the other. */
  async send(each: number): Promise<void> {
    await Promise.all(
      this.#options.signers
        .flatMap((signer) => [signer, signer])
        .map((signer, sender) => this.#sendSome(signer, sender, each)),
    );
  }

  stop(): void {
    this.#stopped = true;
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  async #sendSome(signer: Signer, sender: number, each: number): Promise<void> {
    const { seed, pauseMs } = this.#options;
    const random = createRandom(seed * 1_000 + sender);
    for (let n = 0; n < each && !this.#stopped; n++) {
      const size = random.chance(0.2) ? random.int(1_000, 150_000) : random.int(0, 500);
      const body = BODIES[signer.esp]?.(`${sender}-${this.#made++}`, 'é'.repeat(size / 2)) ?? '';
      await this.#deliver(signer, body);
      if (pauseMs !== undefined) await delay(random.int(0, 2 * pauseMs));
    }
  }

  /** As an ESP does: the same request again, signed again where the signature holds the time. */
  async #deliver(signer: Signer, text: string): Promise<void> {
    const { tries } = this.#options;
    const { url, headers, body } = signer.sign({
      body: text,
      at: Date.now(),
      url: `/webhooks/email-events/${signer.esp}`,
    });
    const key = Buffer.from(body).toString('latin1');
    this.sent.add(key);
    for (let attempt = 1; attempt <= tries; attempt++) {
      const outcome = await this.#post(url, headers, Buffer.from(body));
      if (outcome === '200') {
        this.acknowledged.add(key);
        this.mostTries = Math.max(this.mostTries, attempt);
        return;
      }
      this.mishaps.set(outcome, (this.mishaps.get(outcome) ?? 0) + 1);
      await delay(50 * attempt);
    }
    this.lost.push(`${signer.esp}: ${text.slice(0, 60)}`);
  }

  async #post(path: string, headers: object, body: Buffer): Promise<string> {
    try {
      const answer = await request(`http://127.0.0.1:${this.#options.port()}${path}`, {
        dispatcher: this.#agent,
        method: 'POST',
        headers: headers as { [name: string]: string },
        body,
      });
      await answer.body.dump();
      return String(answer.statusCode);
    } catch (error) {
      return (error as { code?: string }).code ?? String(error);
    }
  }
}
