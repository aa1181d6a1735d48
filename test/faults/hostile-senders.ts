import { setTimeout as delay } from 'node:timers/promises';
import { createRandom } from '@email-events/dev/simulate';
import { createSigner, type Signer } from '@email-events/esps/accounts';
import { Agent, request } from 'undici';

/** Bodies as an ESP would send them; each ESP signs in another way. The id makes each body a different one. */
const BODIES: { readonly [esp: string]: (id: string, padding: string) => string } = {
  sendgrid: (id, padding) => `[{"sg_event_id":"${id}","event":"open","padding":"${padding}"}]\r\n`,
  mailgun: (id, padding) => `{"event-data":{"id":"${id}","event":"opened","padding":"${padding}"}}`,
  postmark: (id, padding) => `{"RecordType":"Open","MessageID":"${id}","padding":"${padding}"}`,
  mailersend: (id, padding) => `{"type":"activity.opened","data":{"id":"${id}","padding":"${padding}"}}`,
  'standard-webhooks': (id, padding) => `{"id":"${id}","type":"opened","padding":"${padding}"}`,
};

const HONEST_ESPS = Object.keys(BODIES);

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

/** Longest an ESP waits for the first byte of an answer. A request that gets no answer must be told apart from a slow machine. */
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

/** Bytes that try to be understood in two ways, or in none, and the answers they must get, in order. */
interface Trick {
  readonly name: string;
  /** One character a byte. */
  readonly bytes: string;
  /** Each answer's status, or several of which one must come. Nothing: the connection is cut. */
  readonly answers: readonly (number | readonly number[])[];
}

const PATH = '/webhooks/email-events/sendgrid';
const line = (request: string) => `${request}\r\nhost: x\r\n`;
const POST = line(`POST ${PATH} HTTP/1.1`);
const JSON_POST = `${POST}content-type: application/json\r\n`;
/** Would be answered 404 if the server took it for a separate request. */
const SMUGGLED = `${line('POST /smuggled HTTP/1.1')}content-length: 0\r\n\r\n`;

const chunked = (chunks: string, more = '') =>
  `${JSON_POST}${more}transfer-encoding: chunked\r\n\r\n${chunks}`;
const length = (value: string, body = '') => `${JSON_POST}content-length: ${value}\r\n\r\n${body}`;
const trick = (name: string, bytes: string, ...answers: Trick['answers']): Trick => ({
  name,
  bytes,
  answers,
});

const FRAMING = [
  trick('length and chunks', chunked(`0\r\n\r\n${SMUGGLED}`, 'content-length: 4\r\n'), 400),
  trick(
    'chunks and length',
    `${JSON_POST}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n`,
    400,
  ),
  trick('two lengths', length(`2\r\ncontent-length: ${SMUGGLED.length + 2}`, `[]${SMUGGLED}`), 400),
  trick('a list of lengths', length('2, 2', `[]${SMUGGLED}`), 400),
  trick('a negative length', length('-1', SMUGGLED), 400),
  trick('a signed length', length('+2', `[]${SMUGGLED}`), 400),
  trick('a hexadecimal length', length('0x2', `[]${SMUGGLED}`), 400),
  trick('no number', length('two', SMUGGLED), 400),
  trick('a length beyond 64 bits', length('99999999999999999999', '[]'), 400),
  trick('a length beyond the limit', length('1000000000', '[]'), 413),
  trick('a length that is too short', length('1', '[]\r\nx\r\n\r\n'), 400),
  trick(
    'an encoding of another name',
    `${JSON_POST}transfer-encoding: xchunked\r\n\r\n${SMUGGLED}`,
    415,
    400,
  ),
  trick('chunked, but not last', `${JSON_POST}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n`, 400),
  trick('identity', `${JSON_POST}transfer-encoding: identity\r\n\r\n${SMUGGLED}`, 415, 400),
  trick('chunked twice', chunked('0\r\n\r\n', 'transfer-encoding: chunked\r\n'), [400, 415]),
  trick(
    'a space before the colon',
    `${JSON_POST}transfer-encoding : chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    400,
  ),
  trick('a folded header', `${JSON_POST}transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n`, [400, 401]),
  trick('a tab in the encoding', `${JSON_POST}transfer-encoding:\tchunked\r\n\r\n0\r\n\r\n`, [400, 401]),
  trick('compressed chunks', `${JSON_POST}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, 415),
];

const CHUNKS = [
  trick('a chunk size that is no number', chunked(`zz\r\n[]\r\n0\r\n\r\n${SMUGGLED}`), 400),
  trick('a negative chunk size', chunked('-2\r\n[]\r\n0\r\n\r\n'), 400),
  trick('a chunk size beyond 64 bits', chunked('fffffffffffffffff\r\n[]\r\n0\r\n\r\n'), 400),
  trick('a chunk size with 0x', chunked('0x2\r\n[]\r\n0\r\n\r\n'), 400),
  trick('a chunk longer than it says', chunked(`1\r\n[]\r\n0\r\n\r\n${SMUGGLED}`), 400),
  trick('a huge chunk extension', chunked(`2;${'x'.repeat(20_000)}\r\n[]\r\n0\r\n\r\n`), 400),
  trick('many chunk extensions', chunked(`${'1;a=b\r\n[\r\n'.repeat(5_000)}0\r\n\r\n`), [400, 401]),
  trick('a chunk line that ends with LF', chunked(`2\n[]\r\n0\r\n\r\n${SMUGGLED}`), 400),
  trick('a huge trailer', chunked(`0\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`), [401, 431]),
];

const LINES = [
  trick('HTTP/0.9', `GET ${PATH}\r\n\r\n`, 405),
  trick(
    'HTTP/1.0',
    `POST ${PATH} HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n[]`,
    401,
  ),
  trick('HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400),
  trick('HTTP/9.9', `${line(`POST ${PATH} HTTP/9.9`)}content-length: 0\r\n\r\n`, 400),
  trick('no host', `POST ${PATH} HTTP/1.1\r\ncontent-length: 0\r\n\r\n`, 400),
  trick(
    'an absolute URL',
    `${line(`POST http://y${PATH} HTTP/1.1`)}content-type: application/json\r\ncontent-length: 2\r\n\r\n[]`,
    401,
  ),
  trick('a URL of 20 KB', line(`POST /${'x'.repeat(20_000)} HTTP/1.1`), 431),
  trick(
    'a path with dots',
    `${line(`POST /webhooks/../webhooks/email-events/sendgrid HTTP/1.1`)}content-length: 0\r\n\r\n`,
    404,
  ),
  trick(
    'a broken escape',
    `${line('POST /webhooks/email-events/%zz HTTP/1.1')}content-length: 0\r\n\r\n`,
    400,
  ),
  trick('a zero byte in the path', `${line('POST /webhooks/email-events/send\0grid HTTP/1.1')}\r\n`, 400),
  trick('a zero byte in a header', `${JSON_POST}x: a\0b\r\n\r\n`, 400),
  trick('a lone CR in a header', `${JSON_POST}x: a\rb\r\n\r\n`, 400),
  trick('a name with a space', `${JSON_POST}x y: 1\r\n\r\n`, 400),
  trick('1,000 header lines', `${JSON_POST}${'a: b\r\n'.repeat(1_000)}content-length: 2\r\n\r\n[]`, 431),
  trick('5,000 header lines', `${JSON_POST}${'a: b\r\n'.repeat(5_000)}\r\n`, 431),
  trick('headers of 20 KB', `${JSON_POST}x: ${'y'.repeat(20_000)}\r\n\r\n`, 431),
  trick('TRACE', `${line(`TRACE ${PATH} HTTP/1.1`)}\r\n`, 405),
  trick('OPTIONS *', `${line('OPTIONS * HTTP/1.1')}\r\n`, 404),
  trick('CONNECT', `${line('CONNECT example.com:443 HTTP/1.1')}\r\n`),
  trick(
    'an upgrade',
    `${line(`GET ${PATH} HTTP/1.1`)}connection: upgrade\r\nupgrade: websocket\r\n\r\n`,
    405,
  ),
  trick(
    'an upgrade to HTTP/2',
    `${JSON_POST}connection: upgrade\r\nupgrade: h2c\r\ncontent-length: 2\r\n\r\n[]`,
    401,
  ),
];

const BODY_TRICKS = [
  trick(
    'a compressed body',
    `${JSON_POST}content-encoding: gzip\r\ncontent-length: 3\r\n\r\n\x1f\x8b\x08`,
    415,
  ),
  trick('an expectation', `${JSON_POST}expect: 100-continue\r\ncontent-length: 2\r\n\r\n[]`, 100, 401),
  trick(
    'an expectation for nobody',
    `${line('POST /webhooks/email-events/nobody HTTP/1.1')}expect: 100-continue\r\ncontent-length: 9\r\n\r\n`,
    100,
    404,
  ),
  trick('another expectation', `${JSON_POST}expect: miracles\r\ncontent-length: 2\r\n\r\n[]`, 401),
  trick('five at once', `${length('2', '[]')}`.repeat(5), 401, 401, 401, 401, 401),
  trick(
    'after one that is refused unread, nothing more',
    `${length('2', '[]')}${SMUGGLED}`.repeat(2),
    401,
    404,
  ),
  trick('a good one behind a bad one', `${length('-1')}${length('2', '[]')}`, 400),
];

export const TRICKS: readonly Trick[] = [...FRAMING, ...CHUNKS, ...LINES, ...BODY_TRICKS];
