import {
  applyTopics,
  createKafka,
  decodeRawHeaders,
  type KafkaSettings,
  silentLog,
} from '@email-events/core';
import type { EspRequest } from '@email-events/esps';
import type { Signer } from '@email-events/esps/accounts';
import { topicCatalogue, topics } from '@email-events/schemas';
import { Agent, request } from 'undici';
import type { IngressConfig } from '../config.ts';
import { ingressService } from '../descriptor.ts';

/** Sends requests on some connections without a pause, each with another body, and keeps how each was answered. */
export class Traffic {
  /** Bodies by the id of the answer. */
  readonly accepted = new Map<string, string>();
  readonly statuses = new Map<number, number>();
  /** Requests without an answer: nothing was promised. */
  unanswered = 0;
  #running = true;
  readonly #senders: Promise<void>;
  readonly #agent = new Agent({ connections: 16 });
  /** Where to send the n-th request of a sender; undefined when there is none. */
  readonly #portOf: (n: number) => number | undefined;
  readonly #signer: Signer;

  constructor(portOf: (n: number) => number | undefined, signer: Signer) {
    this.#portOf = portOf;
    this.#signer = signer;
    this.#senders = Promise.all(Array.from({ length: 8 }, (_, sender) => this.#send(sender))).then(() => {});
    // A failure is reported to the test when it waits for the end.
    this.#senders.catch(() => {});
  }

  get sent(): number {
    return [...this.statuses.values()].reduce((total, count) => total + count, 0);
  }

  count(status: number): number {
    return this.statuses.get(status) ?? 0;
  }

  async end(): Promise<void> {
    this.#running = false;
    await this.#senders;
    await this.#agent.destroy();
  }

  async #send(sender: number): Promise<void> {
    for (let n = 0; this.#running; n++) {
      const body = JSON.stringify([{ id: `${sender}-${n}` }]);
      const port = this.#portOf(n);
      const answer = port === undefined ? undefined : await this.#post(port, this.#sign(body));
      if (answer) this.statuses.set(answer.status, this.count(answer.status) + 1);
      else this.unanswered++;
      if (answer?.status === 200) this.accepted.set(answer.requestId, body);
      else await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  #sign(body: string): EspRequest {
    return this.#signer.sign({ body, at: Date.now() });
  }

  /** Undefined when the service is gone. */
  async #post(port: number, { headers, body }: EspRequest): Promise<Answer | undefined> {
    try {
      const answer = await request(`http://127.0.0.1:${port}/webhooks/email-events/shop`, {
        dispatcher: this.#agent,
        method: 'POST',
        headers,
        body,
      });
      await answer.body.dump();
      return { status: answer.statusCode, requestId: String(answer.headers['x-request-id']) };
    } catch (error) {
      if (GONE.includes((error as { code?: string }).code ?? '')) return undefined;
      throw error;
    }
  }
}

interface Answer {
  readonly status: number;
  readonly requestId: string;
}

const GONE = ['ECONNREFUSED', 'ECONNRESET', 'UND_ERR_SOCKET'];

/** Makes the topics that the ingress writes to: the others would cost a broker most of the work of its start. */
export async function makeOutputs({ kafka, topics }: Pick<IngressConfig, 'kafka' | 'topics'>): Promise<void> {
  const { writes } = ingressService;
  await applyTopics(
    kafka,
    topicCatalogue(topics).filter(({ name }) => writes.includes(name)),
  );
}

/** Reads email.raw from its beginning until `enough`; bodies by request id. */
export async function readRaw(
  kafka: KafkaSettings,
  enough: (found: ReadonlyMap<string, string>) => Promise<void>,
): Promise<Map<string, string>> {
  const consumer = createKafka(kafka, 'test', silentLog).consumer({ groupId: `test-${crypto.randomUUID()}` });
  const found = new Map<string, string>();
  await consumer.connect();
  await consumer.subscribe({ topics: [topics.raw], fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => {
      const raw = decodeRawHeaders(message.headers ?? {});
      if (raw) found.set(raw.requestId, String(message.value));
    },
  });
  try {
    await enough(found);
  } finally {
    await consumer.disconnect();
  }
  return found;
}
