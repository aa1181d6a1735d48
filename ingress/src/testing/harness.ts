import { connect } from 'node:net';
import {
  decodeRawHeaders,
  type Logger,
  NO_TRACES,
  type PublishRecord,
  Registry,
  TlsFiles,
} from '@email-events/core';
import { composeConfig } from '@email-events/core/config';
import { type EspAdapter, findAdapter } from '@email-events/esps';
import { AddressList } from '../addresses.ts';
import { serveWebhooks } from '../app.ts';
import { ByteBudget } from '../byte-budget.ts';
import { ingressService } from '../descriptor.ts';
import { FailureBudget, type FailureBudgetOptions } from '../failure-budget.ts';
import type { HttpServer } from '../http-server.ts';
import { IngressMetrics } from '../ingress-metrics.ts';
import { Placement } from '../placement.ts';
import type { Quarantined } from '../quarantine/record.ts';
import { RateShare } from '../rate-share.ts';
import { RefusalLog } from '../refusal-log.ts';
import { buildSources } from '../sources.ts';
import { type Outside, Verification } from '../verification.ts';
import type { WebhookContext } from '../webhook.ts';

const { parse: parseConfig } = composeConfig([ingressService]);

export interface LogLine {
  readonly level: string;
  readonly code?: string;
  readonly status?: number;
  readonly source?: string;
  readonly requestId?: string;
  readonly [field: string]: unknown;
}

export interface HarnessOptions {
  readonly sources: { readonly [name: string]: object };
  readonly adapters?: readonly EspAdapter[];
  readonly ingress?: object;
  readonly publish?: (record: PublishRecord) => Promise<unknown>;
  readonly outside?: Partial<Outside>;
  readonly failures?: FailureBudgetOptions;
  readonly tlsPollMs?: number;
}

export interface Harness {
  readonly port: number;
  readonly server: HttpServer;
  readonly context: WebhookContext;
  readonly logs: LogLine[];
  readonly published: PublishRecord[];
  readonly quarantined: Quarantined[];
  readonly registry: Registry;
  close(): Promise<void>;
}

/** The real HTTP server and application with a publisher in memory. */
export async function startHarness(options: HarnessOptions): Promise<Harness> {
  const config = parseConfig({ ingress: { port: 0, ...options.ingress }, sources: options.sources });
  const { ingress } = config;
  const logs: LogLine[] = [];
  const published: PublishRecord[] = [];
  const quarantined: Quarantined[] = [];
  const log = logInto(logs);
  const registry = new Registry();
  const budget = new ByteBudget(ingress.maxInFlightBytes);
  const metrics = new IngressMetrics(registry, quiet(budget));
  let server: HttpServer | undefined;
  const context: WebhookContext = {
    sources: buildSources(config.sources, finder(options.adapters)),
    draining: false,
    publisher: {
      publish: async (record) => {
        await options.publish?.(record);
        published.push(record);
        return 'kafka' as const;
      },
    },
    placement: new Placement(config.topics.rawPartitions),
    rateShare: new RateShare(ingress.maxBytesPerSecond),
    verification: new Verification({
      document: nothingThere,
      known: () => undefined,
      visit: nothingThere,
      ...options.outside,
    }),
    budget,
    metrics,
    trustedProxies: new AddressList(ingress.trustedProxies),
    behindProxy: !ingress.tls && ingress.trustedProxies.length > 0,
    proxyHeaders: ingress.proxyHeaders,
    failures: new FailureBudget(options.failures),
    quarantine: { keep: (request) => quarantined.push(request) },
    refusals: new RefusalLog(log),
    traces: NO_TRACES,
    log,
    clock: Date.now,
    endOf: (request) => server?.endOf(request),
  };
  const tls = ingress.tls && new TlsFiles(ingress.tls, log, 'INGRESS_RELOAD_REFUSED', options.tlsPollMs);
  server = await serveWebhooks(context, ingress, tls);
  const running = server;
  return {
    port: server.port,
    server,
    context,
    logs,
    published,
    quarantined,
    registry,
    close: () => {
      const closed = running.close();
      running.destroy();
      context.refusals.close();
      return closed;
    },
  };
}

function quiet(budget: ByteBudget): ConstructorParameters<typeof IngressMetrics>[1] {
  return {
    inFlightBytes: () => budget.used,
    connections: () => 0,
    kafkaUp: () => true,
    heavySources: () => 0,
  };
}

/** The headers of the raw record that was published. */
export function rawOf(record: PublishRecord | undefined) {
  if (!record) throw new Error('nothing was published');
  const raw = decodeRawHeaders(record.headers);
  if (!raw) throw new Error('the headers cannot be decoded');
  return raw;
}

/** Sends bytes as they are and returns all that comes back until the connection ends (or `until` says it is enough). */
export function sendRaw(
  port: number,
  pieces: readonly string[],
  until?: (answer: string) => boolean,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
      if (until?.(answer)) socket.destroy();
    });
    socket.on('close', () => resolve(answer));
    // A server that has said what it has to say may cut us off while we still talk.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error);
    });
    for (const piece of pieces) socket.write(piece, 'latin1');
  });
}

export function logInto(lines: LogLine[]): Logger {
  const write = (level: string) => (fields: object | string) => {
    lines.push({ level, ...(typeof fields === 'string' ? { msg: fields } : fields) });
  };
  const levels = ['debug', 'info', 'warn', 'error', 'fatal'].map((level) => [level, write(level)]);
  return Object.fromEntries(levels) as unknown as Logger;
}

const nothingThere = () => Promise.reject(new Error('there is no outside in this test'));

function finder(adapters: readonly EspAdapter[] = []) {
  return (name: string) => adapters.find((adapter) => adapter.name === name) ?? findAdapter(name);
}
