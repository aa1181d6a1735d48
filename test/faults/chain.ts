import { randomUUID } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { encodeRawHeaders } from '@email-events/core';
import { topics } from '@email-events/schemas';
import { type Pipeline, startPipeline } from '../harness/pipeline.ts';
import type { LaunchedService, ServiceName } from '../harness/service-process.ts';
import { startOwnStack, type TestScope, waitFor } from '../harness/stack.ts';
import { type ProxyTarget, startProxy, startTcpProxy, type TcpProxy } from '../harness/tcp-proxy.ts';

/** The services from email.raw to ClickHouse, each dependency behind a proxy, and what went in. */
export interface Chain {
  readonly pipeline: Pipeline;
  readonly proxies: { readonly [name in 'kafka' | 'registry' | 'clickhouse']: TcpProxy };
  readonly services: ReadonlyMap<ServiceName, LaunchedService>;
  /** Starts a service, instead of the one of that name. Does not wait until it takes work. */
  start(name: ServiceName, fileBytes?: number): Promise<LaunchedService>;
  service(name: ServiceName): LaunchedService;
  /** Of the largest of the local stores of `events`. */
  storeBytes(): number;
  /** Puts requests with so many new events onto email.raw, past the proxy, each request twice. */
  send(events: number): Promise<void>;
  /** Waits until everything that was sent is in ClickHouse, once; and the totals of `events` say the same. */
  expectAllOnce(deadlineMs?: number): Promise<void>;
}

const EVENTS_A_REQUEST = 50;
const TYPES = ['processed', 'delivered', 'open', 'click'];

export async function startChain(scope: TestScope): Promise<Chain> {
  // The broker is told the proxy's port when it starts, so the proxy comes first.
  const behind: ProxyTarget[] = [];
  const kafka = await startProxy(() => behind);
  // These tests take all of Kafka away.
  const stack = await startOwnStack(scope, { brokers: 1, advertise: { kafka: [kafka.port] } });
  behind.push({ host: '127.0.0.1', port: stack.proxied?.kafka[0] ?? 0 });
  const [registry, clickhouse] = [
    await startTcpProxy(stack.registry.url),
    await startTcpProxy(stack.clickhouse.url),
  ];
  const proxies = { kafka, registry, clickhouse };
  scope.onTestFinished(async () => {
    await Promise.all(Object.values(proxies).map((proxy) => proxy.stop()));
  });
  const pipeline = await startPipeline(scope, stack, {
    name: 'failures',
    settings: {
      kafka: { connectionTimeoutMs: 1_000, requestTimeoutMs: 4_000 },
      topics: { partitions: 2, rawPartitions: 2 },
      sinks: { clickhouse: { flushMs: 200 } },
    },
    through: {
      kafka: { ...stack.kafka, brokers: [`127.0.0.1:${kafka.port}`] },
      registry: { ...stack.registry, url: registry.url },
      clickhouse: { ...stack.clickhouse, url: clickhouse.url },
    },
  });
  return new RunningChain(pipeline, proxies);
}

class RunningChain implements Chain {
  readonly pipeline: Pipeline;
  readonly proxies: Chain['proxies'];
  readonly services = new Map<ServiceName, LaunchedService>();
  #sent = 0;
  /** Each event is sent twice. */
  #received = 0;

  constructor(pipeline: Pipeline, proxies: Chain['proxies']) {
    this.pipeline = pipeline;
    this.proxies = proxies;
  }

  async start(name: ServiceName, fileBytes?: number): Promise<LaunchedService> {
    await this.services.get(name)?.stop();
    const service = this.pipeline.launch(name, { fileBytes });
    this.services.set(name, service);
    return service;
  }

  service(name: ServiceName): LaunchedService {
    const found = this.services.get(name);
    if (!found) throw new Error(`${name} was not started`);
    return found;
  }

  storeBytes(): number {
    const { stateDir } = this.pipeline.config.events;
    const files = readdirSync(stateDir, { recursive: true }).map(String);
    const stores = files.filter((file) => file.endsWith('store.mdb'));
    return Math.max(...stores.map((file) => statSync(join(stateDir, file)).size));
  }

  async send(events: number): Promise<void> {
    for (const end = this.#sent + events; this.#sent < end; ) {
      const items = Array.from({ length: EVENTS_A_REQUEST }, () => eventOf(this.#sent++));
      const value = Buffer.from(JSON.stringify(items));
      const messages = [0, 1].map((partition) => ({ partition, value, headers: headersOf() }));
      await this.pipeline.produce(topics.raw, messages);
      this.#received += messages.length * items.length;
    }
  }

  async expectAllOnce(deadlineMs = 60_000): Promise<void> {
    const expected = { rows: this.#sent, distinct: this.#sent, rollup: this.#sent };
    const totals = { received: this.#received, emitted: this.#sent, duplicate: this.#received - this.#sent };
    let seen: unknown;
    const arrived = async () => {
      seen = [await this.#stored(), await this.#totals()];
      return JSON.stringify(seen) === JSON.stringify([expected, totals]);
    };
    await waitFor('everything is there once', arrived, deadlineMs).catch((cause) => {
      const message = `not once: ${JSON.stringify(seen)} instead of ${JSON.stringify([expected, totals])}`;
      throw new Error(message, { cause });
    });
  }

  async #stored() {
    const [row] = await this.pipeline.clickhouse.query<{ rows: string; distinct: string; rollup: string }>(
      `SELECT count() AS rows, uniqExact(event_id) AS distinct,
        (SELECT sum(events) FROM email_events_hourly) AS rollup FROM email_events`,
    );
    return { rows: Number(row?.rows), distinct: Number(row?.distinct), rollup: Number(row?.rollup) };
  }

  async #totals() {
    const of = (result: string) =>
      this.service('events').metric(new RegExp(`^email_events_events_total\\{.*result="${result}"`));
    return { received: await of('received'), emitted: await of('emitted'), duplicate: await of('duplicate') };
  }
}

const headersOf = () =>
  encodeRawHeaders({
    requestId: randomUUID(),
    source: 'sendgrid',
    esp: 'sendgrid',
    receivedAt: Date.now(),
    method: 'POST',
    url: '/webhooks/email-events/sendgrid',
    contentType: 'application/json',
    remoteAddress: '127.0.0.1',
    headers: {},
  });

function eventOf(n: number) {
  return {
    email: `recipient${n}@mail.example`,
    timestamp: 1_790_000_000 + n,
    event: TYPES[n % TYPES.length],
    sg_event_id: randomUUID(),
    sg_message_id: `${n}.filter0001.16648.5515E0B88.0`,
  };
}
