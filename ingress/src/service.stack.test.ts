import {
  applyTopics,
  createKafka,
  createLogger,
  createMetrics,
  decodeRawHeaders,
  parseConfig,
  type RunningService,
} from '@email-events/core';
import type { Stack } from '@email-events/deploy/stack';
import type { EspRequest } from '@email-events/esps';
import { type Signer, sendgridSigner } from '@email-events/esps/testing';
import { topicCatalogue, topics } from '@email-events/schemas';
import { Agent, request } from 'undici';
import { expect, type TestContext, test } from 'vitest';
import { startOwnStack, waitFor } from '../../test/stack/stack.ts';
import { startIngress } from './index.ts';

const log = createLogger('ingress-test', 'error');

interface Setting {
  readonly stack: Stack;
  readonly signer: Signer;
  readonly service: RunningService;
  readonly traffic: Traffic;
}

/** The service against a broker of its own, with settings that make failures come soon. */
async function setUp(context: TestContext): Promise<Setting> {
  const stack = await startOwnStack(context);
  const signer = sendgridSigner();
  const config = parseConfig({
    kafka: { brokers: stack.kafka.brokers },
    ingress: { port: 0, adminPort: 0, publishTimeoutMs: 3_000 },
    sources: { shop: { esp: 'sendgrid', secrets: signer.settings.secrets } },
  });
  await applyTopics(config.kafka, topicCatalogue(config.topics));
  const service = await startIngress({ config, log, metrics: createMetrics('ingress') });
  const traffic = new Traffic(service.ports.http ?? 0, signer);
  context.onTestFinished(async () => {
    await traffic.end();
    await service.stop();
  });
  return { stack, signer, service, traffic };
}

/** Requests on some connections without a pause, each with a body of its own, and what became of them. */
class Traffic {
  readonly accepted = new Map<string, string>();
  readonly statuses = new Map<number, number>();
  slowestMs = 0;
  #running = true;
  readonly #senders: Promise<void>;
  readonly #agent = new Agent({ connections: 16 });

  readonly #port: number;
  readonly #signer: Signer;

  constructor(port: number, signer: Signer) {
    this.#port = port;
    this.#signer = signer;
    this.#senders = Promise.all(Array.from({ length: 8 }, (_, sender) => this.#send(sender))).then(() => {});
    // Whoever waits for the end hears of a failure.
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
      const started = performance.now();
      const answer = await this.#post(this.#signer.sign({ body, at: Date.now() }));
      if (!answer) return;
      const { status, requestId } = answer;
      this.slowestMs = Math.max(this.slowestMs, performance.now() - started);
      this.statuses.set(status, this.count(status) + 1);
      if (status === 200) this.accepted.set(requestId, body);
      else await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Undefined when the service is gone: without an answer nothing was promised. */
  async #post({ headers, body }: EspRequest): Promise<{ status: number; requestId: string } | undefined> {
    try {
      const answer = await request(`http://127.0.0.1:${this.#port}/webhooks/email-events/shop`, {
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

const GONE = ['ECONNREFUSED', 'ECONNRESET', 'UND_ERR_SOCKET'];

async function recordsOf(stack: Stack, expected: number): Promise<Map<string, string>> {
  const config = parseConfig({ kafka: { brokers: stack.kafka.brokers } });
  const consumer = createKafka(config.kafka, 'test', log).consumer({
    groupId: `test-${crypto.randomUUID()}`,
  });
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
    await waitFor('all records', () => found.size >= expected);
  } finally {
    await consumer.disconnect();
  }
  return found;
}

async function expectNothingMissing({ stack, traffic }: Setting): Promise<void> {
  await traffic.end();
  const found = await recordsOf(stack, traffic.accepted.size);
  const missing = [...traffic.accepted].filter(([requestId, body]) => found.get(requestId) !== body);
  expect(missing).toEqual([]);
}

async function ready(service: RunningService): Promise<number> {
  const answer = await request(`http://127.0.0.1:${service.ports.admin}/readyz`);
  await answer.body.dump();
  return answer.statusCode;
}

for (const how of ['stop', 'kill', 'pause'] as const) {
  test(`${how} the broker during traffic: later, then well again by itself, and nothing acknowledged is missing`, async (context) => {
    const setting = await setUp(context);
    const { stack, service, traffic } = setting;
    const kafka = stack.component('kafka');
    await waitFor('traffic', () => traffic.count(200) > 100);
    await waitFor('ready', async () => (await ready(service)) === 200);

    if (how === 'pause') kafka.pause();
    else await kafka[how]();
    const before = traffic.count(503);
    await waitFor('answers "later"', () => traffic.count(503) > before + 20);
    await waitFor('not ready', async () => (await ready(service)) === 503);

    if (how === 'pause') kafka.resume();
    else await kafka.start();
    const back = performance.now();
    const accepted = traffic.count(200);
    await waitFor('accepts again', () => traffic.count(200) > accepted + 200);
    await waitFor('ready', async () => (await ready(service)) === 200);
    context.annotate(`accepts again after ${Math.round(performance.now() - back)} ms`);

    await expectNothingMissing(setting);
    expect([...traffic.statuses.keys()].sort()).toEqual([200, 503]);
  });
}

test('started without a broker it says "later", and begins when there is one', async (context) => {
  const { stack, service } = await setUp(context);
  await stack.component('kafka').stop();
  await service.stop();
  await expect(request(`http://127.0.0.1:${service.ports.http}/`)).rejects.toMatchObject({
    code: 'ECONNREFUSED',
  });
  const signer = sendgridSigner();
  const config = parseConfig({
    kafka: { brokers: stack.kafka.brokers },
    ingress: { port: 0, adminPort: 0 },
    sources: { shop: { esp: 'sendgrid', secrets: signer.settings.secrets } },
  });
  const second = await startIngress({ config, log, metrics: createMetrics('ingress') });
  const traffic = new Traffic(second.ports.http ?? 0, signer);
  context.onTestFinished(async () => {
    await traffic.end();
    await second.stop();
  });
  await waitFor('answers "later"', () => traffic.count(503) > 10);
  expect(await ready(second)).toBe(503);
  await stack.component('kafka').start();
  await waitFor('accepts', () => traffic.count(200) > 100);
  await expectNothingMissing({ stack, service: second, traffic, signer });
});

test('stopped during traffic: nothing but 200 until connections end, and nothing acknowledged is missing', async (context) => {
  const setting = await setUp(context);
  const { service, traffic } = setting;
  await waitFor('traffic', () => traffic.count(200) > 200);
  const others = traffic.sent - traffic.count(200);
  await service.stop();
  await service.done;
  expect(traffic.sent - traffic.count(200)).toBe(others);
  await expectNothingMissing(setting);
});
