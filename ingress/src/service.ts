import cluster from 'node:cluster';
import { setTimeout as pause } from 'node:timers/promises';
import {
  measureCertificate,
  measureDisk,
  NO_TRACES,
  type RunningService,
  runStopSteps,
  type ServiceContext,
  startAdminServer,
  TlsFiles,
} from '@email-events/core';
import { AddressList, isLoopback } from './addresses.ts';
import { serveWebhooks } from './app.ts';
import { ByteBudget } from './byte-budget.ts';
import type { IngressConfig } from './config.ts';
import { checkIngressConfig } from './config-check.ts';
import { DocumentFetcher } from './document-fetcher.ts';
import { FailureBudget } from './failure-budget.ts';
import type { HttpServer } from './http-server.ts';
import { IngressMetrics } from './ingress-metrics.ts';
import { Placement } from './placement.ts';
import { type Publishing, startPublishing } from './publishing.ts';
import type { KafkaQuarantine } from './quarantine/quarantine.ts';
import { QUARANTINE_MS, startQuarantine } from './quarantine/start.ts';
import { RateShare } from './rate-share.ts';
import { RefusalLog } from './refusal-log.ts';
import { reloadOnHangup } from './reload.ts';
import { buildSources } from './sources.ts';
import { statusOf } from './status.ts';
import { Verification } from './verification.ts';
import type { WebhookContext } from './webhook.ts';
import { answerPrimary } from './workers/answering.ts';

/**
 * Starts the ingress. It takes requests whether Kafka is there or not: while it is not, they go to the spool, or are
 * answered "later" where there is none, and /readyz says so. Ports: `http` (webhooks), `admin`. Throws ConfigError.
 */
export async function startIngress(service: ServiceContext<IngressConfig>): Promise<RunningService> {
  const { config, metrics: registry } = service;
  // Several workers write to one log.
  const log = cluster.worker ? service.log.child({ worker: cluster.worker.id }) : service.log;
  checkIngressConfig(config);
  const { ingress } = config;
  const budget = new ByteBudget(ingress.maxInFlightBytes);
  const fetcher = new DocumentFetcher(ingress.fetchFromPrivate ? { mayReach: () => true } : {});
  const placement = new Placement(config.topics.rawPartitions);
  const startedAt = Date.now();
  let server: HttpServer | undefined;
  const metrics = new IngressMetrics(registry, {
    inFlightBytes: () => budget.used,
    connections: () => server?.connections() ?? 0,
    kafkaUp: () => publishing.kafkaUp(),
    heavySources: () => placement.heavySources,
  });
  const publishing = await startPublishing({ ...service, log }, placement, (source) =>
    metrics.drained(source),
  );
  const quarantine = startQuarantine({ ...service, log });
  const context: WebhookContext = {
    sources: buildSources(config.sources),
    draining: false,
    publisher: publishing.publisher,
    placement,
    rateShare: new RateShare(ingress.maxBytesPerSecond),
    verification: new Verification(fetcher),
    budget,
    metrics,
    trustedProxies: new AddressList(ingress.trustedProxies),
    behindProxy: !ingress.tls && (ingress.trustedProxies.length > 0 || !isLoopback(ingress.host)),
    proxyHeaders: ingress.proxyHeaders,
    failures: new FailureBudget(),
    quarantine,
    refusals: new RefusalLog(log),
    traces: service.traces ?? NO_TRACES,
    log,
    clock: Date.now,
    endOf: (request) => server?.endOf(request),
  };
  const tls = ingress.tls && new TlsFiles(ingress.tls, log, 'INGRESS_RELOAD_REFUSED');
  measureCertificate(registry, tls);
  if (ingress.spool.enabled) measureDisk(registry, 'spool', ingress.spool.dir);
  server = await serveWebhooks(context, ingress, tls);
  const subjects = {
    metrics: registry,
    readiness: publishing.readiness,
    status: () =>
      statusOf(startedAt, metrics.activity.report(context.sources.values()), publishing.spooled()),
  };
  const admin = cluster.isWorker
    ? answerPrimary(subjects)
    : await startAdminServer({ host: config.adminHost, port: ingress.adminPort, ...subjects });
  const stopReloading = service.reload
    ? reloadOnHangup(
        service.reload,
        (sources) => {
          context.sources = sources;
        },
        log,
      )
    : () => {};
  log.info({ port: server.port, adminPort: admin.port, sources: context.sources.size }, 'taking webhooks');
  return running({ ...service, log }, context, {
    ...{ server, admin, publishing, quarantine, fetcher, stopReloading },
  });
}

interface Parts {
  readonly server: HttpServer;
  readonly admin: Awaited<ReturnType<typeof startAdminServer>>;
  readonly publishing: Publishing;
  readonly quarantine: KafkaQuarantine;
  readonly fetcher: DocumentFetcher;
  readonly stopReloading: () => void;
}

function running(
  { config, log }: ServiceContext<IngressConfig>,
  context: WebhookContext,
  parts: Parts,
): RunningService {
  const { server, admin, publishing, quarantine, fetcher, stopReloading } = parts;
  const { promise: done, resolve: stopped } = Promise.withResolvers<void>();
  const refuseNew = () => {
    stopReloading();
    admin.drain();
    context.draining = true;
  };
  // A request that waits for Kafka is answered within publishTimeoutMs, one way or the other.
  const { publishTimeoutMs, drainDelayMs } = config.ingress;
  const requestsMs = publishTimeoutMs + 2_000;
  let stopping: Promise<void> | undefined;
  const stop = async () => {
    await runStopSteps(
      [
        { name: 'readiness', deadlineMs: 100, run: refuseNew },
        { name: 'drain', deadlineMs: drainDelayMs + 1_000, run: () => pause(drainDelayMs) },
        { name: 'requests', deadlineMs: requestsMs, run: () => server.close() },
        { name: 'connections', deadlineMs: 100, run: () => server.destroy() },
        { name: 'log', deadlineMs: 100, run: () => context.refusals.close() },
        { name: 'quarantine', deadlineMs: QUARANTINE_MS + 1_000, run: () => quarantine.close() },
        ...publishing.stopSteps,
        { name: 'fetcher', deadlineMs: 1_000, run: () => fetcher.close() },
        { name: 'admin', deadlineMs: 1_000, run: () => admin.close() },
      ],
      log,
    );
    stopped();
  };
  return {
    ports: { http: server.port, admin: admin.port },
    done,
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
  };
}
