import { randomUUID } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PipelineConfig, pipelineConfig } from '@email-events/cli/services';
import { applyTopics, createKafka, encodeRawHeaders, silentLog } from '@email-events/core';
import type { Stack } from '@email-events/dev/stack';
import { registerSchemas, topicCatalogue, topics } from '@email-events/schemas';
import { type ClickHouse, connect, migrate } from '@email-events/sink-clickhouse';
import { type ProxyTarget, startProxy, startTcpProxy, type TcpProxy } from '../contracts/tcp-proxy.ts';
import { startOwnStack, type TestScope, waitFor } from '../harness/stack.ts';
import { type Service, type ServiceName, startService } from './service.ts';

/** The services from email.raw to ClickHouse, each dependency behind a proxy, and what went in. */
export interface Chain {
  readonly stack: Stack;
  readonly proxies: { readonly [name in 'kafka' | 'registry' | 'clickhouse']: TcpProxy };
  /** Past the proxies. */
  readonly config: PipelineConfig;
  readonly clickhouse: ClickHouse;
  readonly services: Map<ServiceName, Service>;
  /** Starts a service, instead of the one of that name. Does not wait until it takes work. */
  start(name: ServiceName, fileBytes?: number): Promise<Service>;
  service(name: ServiceName): Service;
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
  const home = await mkdtemp(join(tmpdir(), 'email-events-failures-'));
  // The broker is told the proxy's port when it starts, so the proxy comes first.
  const behind: ProxyTarget[] = [];
  const kafka = await startProxy(() => behind);
  // What is tried here is that Kafka is away, all of it.
  const stack = await startOwnStack(scope, { brokers: 1, advertise: { kafka: [kafka.port] } });
  behind.push({ host: '127.0.0.1', port: stack.proxied?.kafka[0] ?? 0 });
  const [registry, clickhouse] = [
    await startTcpProxy(stack.registry.url),
    await startTcpProxy(stack.clickhouse.url),
  ];
  const proxies = { kafka, registry, clickhouse };
  const settings = settingsOf(home, {
    kafka: `127.0.0.1:${kafka.port}`,
    registry: registry.url,
    clickhouse: clickhouse.url,
  });
  const configFile = join(home, 'pipeline.yaml');
  await writeFile(configFile, JSON.stringify(settings));
  const config = pipelineConfig.parse(
    settingsOf(home, {
      kafka: stack.kafka.brokers[0] ?? '',
      registry: stack.registry.url,
      clickhouse: stack.clickhouse.url,
    }),
  );
  await applyTopics(config.kafka, topicCatalogue(config.topics));
  await registerSchemas({ url: config.registry.url });
  await migrate(config.sinks.clickhouse);
  const chain = new RunningChain(stack, proxies, config, configFile);
  scope.onTestFinished(async () => {
    await chain.close();
    await rm(home, { recursive: true, force: true });
  });
  return chain;
}

/** YAML is a superset of JSON. */
function settingsOf(home: string, at: { kafka: string; registry: string; clickhouse: string }) {
  return {
    kafka: { brokers: [at.kafka], connectionTimeoutMs: 1_000, requestTimeoutMs: 4_000 },
    registry: { url: at.registry },
    topics: { partitions: 2, rawPartitions: 2 },
    normalize: { adminPort: 0 },
    events: { adminPort: 0, stateDir: join(home, 'state') },
    sinks: { clickhouse: { url: at.clickhouse, adminPort: 0, flushMs: 200 } },
  };
}

class RunningChain implements Chain {
  readonly stack: Stack;
  readonly proxies: Chain['proxies'];
  readonly config: PipelineConfig;
  readonly clickhouse: ClickHouse;
  readonly services = new Map<ServiceName, Service>();
  readonly #configFile: string;
  #sent = 0;
  /** Each event is sent twice. */
  #received = 0;

  constructor(stack: Stack, proxies: Chain['proxies'], config: PipelineConfig, configFile: string) {
    this.stack = stack;
    this.proxies = proxies;
    this.config = config;
    this.clickhouse = connect(config.sinks.clickhouse);
    this.#configFile = configFile;
  }

  async start(name: ServiceName, fileBytes?: number): Promise<Service> {
    await this.services.get(name)?.stop();
    const service = startService(name, this.#configFile, fileBytes);
    this.services.set(name, service);
    return service;
  }

  service(name: ServiceName): Service {
    const found = this.services.get(name);
    if (!found) throw new Error(`${name} was not started`);
    return found;
  }

  storeBytes(): number {
    const { stateDir } = this.config.events;
    const files = readdirSync(stateDir, { recursive: true }).map(String);
    const stores = files.filter((file) => file.endsWith('store.mdb'));
    return Math.max(...stores.map((file) => statSync(join(stateDir, file)).size));
  }

  async send(events: number): Promise<void> {
    const producer = createKafka(this.config.kafka, 'failures', silentLog).producer();
    await producer.connect();
    for (const end = this.#sent + events; this.#sent < end; ) {
      const items = Array.from({ length: EVENTS_A_REQUEST }, () => eventOf(this.#sent++));
      const value = Buffer.from(JSON.stringify(items));
      const messages = [0, 1].map((partition) => ({ partition, value, headers: headersOf() }));
      await producer.send({ topic: topics.raw, acks: -1, messages });
      this.#received += messages.length * items.length;
    }
    await producer.disconnect();
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

  async close(): Promise<void> {
    await Promise.all([...this.services.values()].map((service) => service.stop()));
    await this.clickhouse.close();
    await Promise.all(Object.values(this.proxies).map((proxy) => proxy.stop()));
  }

  async #stored() {
    const [row] = await this.clickhouse.query<{ rows: string; distinct: string; rollup: string }>(
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
