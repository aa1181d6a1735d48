import {
  type DependencyState,
  type MetricsReport,
  mergedMetrics,
  type ReadinessCheck,
  type RunningService,
  runStopSteps,
  type ServiceContext,
  startAdminServer,
} from '@email-events/core';
import type { IngressConfig } from '../config.ts';
import { freePort } from '../port.ts';
import { TELL_MS } from '../publishing.ts';
import { sumOfStatuses } from '../status-sum.ts';
import type { Answers, Topic } from './questions.ts';
import { type Ending, Worker, WorkerEnded } from './worker.ts';

/** Dependencies that a worker's answer may name. */
const DEPENDENCIES = ['kafka', 'spool'] as const;
/** On top of the times that the configuration gives to a worker's own steps (see service.ts and publishing.ts). */
const STOP_MS = 25_000;

/**
 * The ingress as several processes on one port: this one holds them together and takes no request itself. Each listens for itself, and the
 * system spreads new connections; if this process handed them out, as Node's cluster does, each worker would get one in a turn of its event
 * loop (p99 at 128 connections 190 ms instead of 50). Signals are passed on; health, metrics and status are of all together. A worker that ends by itself ends the whole, as a single
 * process that ends would: whoever runs it starts it anew. Ports: `http`, `admin`.
 */
export async function startWorkers(service: ServiceContext<IngressConfig>): Promise<RunningService> {
  const { config, log } = service;
  const { workers: count, spool, reusePort, host } = config.ingress;
  const port = reusePort ? config.ingress.port : await freePort({ host, port: config.ingress.port });
  const workers = Array.from(
    { length: count },
    () => new Worker({ EMAIL_EVENTS_INGRESS_PORT: String(port) }),
  );
  const { promise: done, resolve: stopped, reject: failed } = Promise.withResolvers<void>();
  // It may reject before the caller listens.
  done.catch(() => {});
  const onHangup = () => {
    for (const worker of workers) worker.signal('SIGHUP');
  };
  try {
    const [ports] = await Promise.all(workers.map((worker) => worker.ready));
    if (!ports) throw new WorkerEnded('there is none');
    const admin = await startAdminServer({
      host: config.adminHost,
      port: config.ingress.adminPort,
      metrics: { contentType: service.metrics.contentType, metrics: metricsOf(service, workers) },
      readiness: readinessOf(workers, spool.enabled),
      status: async () => sumOfStatuses(await askAll(workers, 'status')),
      alive: () => askAll(workers, 'readiness'),
    });
    process.on('SIGHUP', onHangup);
    let stopping: Promise<void> | undefined;
    const stop = () => {
      stopping ??= runStopSteps(
        [
          { name: 'readiness', deadlineMs: 100, run: () => admin.drain() },
          { name: 'workers', deadlineMs: stopMs(config), run: () => stopAll(workers) },
          { name: 'admin', deadlineMs: 1_000, run: () => admin.close() },
        ],
        log,
      ).then(() => {
        process.off('SIGHUP', onHangup);
        for (const worker of workers) worker.signal('SIGKILL');
      });
      return stopping;
    };
    for (const [i, worker] of workers.entries()) {
      void worker.ended.then(async (how) => {
        const isOwn = stopping === undefined && how !== 0;
        if (isOwn)
          log.error({ code: 'INGRESS_WORKER_ENDED', worker: i + 1, how }, 'a worker ended by itself');
        await stop();
        if (isOwn) failed(new WorkerEnded(`a worker ended with ${how}`));
        else stopped();
      });
    }
    log.info({ port: ports.http, adminPort: admin.port, workers: count }, 'taking webhooks');
    return { ports: { http: ports.http, admin: admin.port }, done, stop };
  } catch (error) {
    for (const worker of workers) worker.signal('SIGKILL');
    throw error;
  }
}

/** The longest that a worker may take: it has deadlines for each step. */
function stopMs({ ingress }: IngressConfig): number {
  const { drainDelayMs, publishTimeoutMs, spool } = ingress;
  const emptying = spool.enabled && spool.drainOnStopMs > 0 ? spool.drainOnStopMs + TELL_MS : 0;
  return drainDelayMs + publishTimeoutMs + emptying + STOP_MS;
}

async function stopAll(workers: readonly Worker[]): Promise<Ending[]> {
  for (const worker of workers) worker.signal('SIGTERM');
  return Promise.all(workers.map(({ ended }) => ended));
}

/** Undefined if it has ended. Throws WorkerEnded if it does not answer. */
async function askOne<T extends Topic>(worker: Worker, topic: T): Promise<Answers[T] | undefined> {
  if (worker.isGone) return undefined;
  return worker.ask(topic).catch((error: unknown) => {
    if (worker.isGone) return undefined;
    throw error;
  });
}

/**
 * Of those that are left: while they stop, one whose spool is empty goes before the others. Throws WorkerEnded if one of them does not
 * answer, or if there is none.
 */
async function askAll<T extends Topic>(workers: readonly Worker[], topic: T): Promise<Answers[T][]> {
  const asked = await Promise.all(workers.map((worker) => askOne(worker, topic)));
  const answers = asked.filter((answer) => answer !== undefined) as Answers[T][];
  if (answers.length === 0) throw new WorkerEnded('all have ended');
  return answers;
}

/**
 * What a worker has counted stays in the sums when it has ended, as it told it last: a sum that falls looks like a new beginning, after
 * which all of the rest counts once more. What it measured ends with it.
 */
function metricsOf({ metrics }: ServiceContext<IngressConfig>, workers: readonly Worker[]) {
  const last = new Map<Worker, MetricsReport>();
  const reportOf = async (worker: Worker): Promise<MetricsReport> => {
    const report = await askOne(worker, 'metrics');
    // The types of prom-client have a number here, where it gives a name.
    if (!report) return (last.get(worker) ?? []).filter(({ type }) => String(type) !== 'gauge');
    last.set(worker, report);
    return report;
  };
  return async () => mergedMetrics(await Promise.all([metrics.getMetricsAsJSON(), ...workers.map(reportOf)]));
}

/** A dependency is as the worker that is worst off has it: it gets its part of the connections. */
function readinessOf(
  workers: readonly Worker[],
  hasSpool: boolean,
): { [dependency: string]: ReadinessCheck } {
  const names = DEPENDENCIES.filter((name) => name === 'kafka' || hasSpool);
  const check = async (name: string) => {
    const states = await askAll(workers, 'readiness');
    return worstOf(states.map((state) => state[name] ?? undefined));
  };
  return Object.fromEntries(names.map((name) => [name, () => check(name)]));
}

/** Not fine before degraded before fine. */
export function worstOf(states: readonly DependencyState[]): DependencyState {
  const rank = (state: DependencyState) => (state === undefined ? 0 : typeof state === 'object' ? 1 : 2);
  return states.reduce((worst, state) => (rank(state) > rank(worst) ? state : worst), undefined);
}
