import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { codeOf } from './errors.ts';
import type { MetricsText } from './telemetry.ts';

/**
 * A dependency's state: undefined when it is fine, else why not (a code, no details of the outside).
 * One that throws counts as not fine with the error's code, one that takes too long as `TIMEOUT`.
 */
export type ReadinessCheck = () => Promise<DependencyState> | DependencyState;

/**
 * Why it is not fine; `degraded`: not fine, but the service does its work without it for a while, or all of it but that of
 * these partitions (`topic/partition`), each with its own code.
 */
export type DependencyState =
  | string
  | { readonly degraded: string; readonly partitions?: PartitionCodes }
  | { readonly failed: string; readonly partitions: PartitionCodes }
  | undefined;

export type PartitionCodes = { readonly [partition: string]: string };

export interface AdminServer {
  readonly port: number;
  /** From now on /readyz says no, so that a balancer stops sending. */
  drain(): void;
  close(): Promise<void>;
}

export interface AdminOptions {
  readonly host: string;
  readonly port: number;
  readonly metrics: MetricsText;
  /** By dependency name. */
  readonly readiness: { readonly [dependency: string]: ReadinessCheck };
  /** More about the service's work, as JSON; undefined: nothing. */
  readonly status?: () => unknown;
  /** Of a service that is more than this process: rejects, or takes too long, when one of its processes does not answer. */
  readonly alive?: () => Promise<unknown>;
  /** Time for each readiness check. Milliseconds. */
  readonly checkTimeoutMs?: number;
}

const CHECK_TIMEOUT_MS = 5_000;

/**
 * /healthz: the process answers. /readyz: so do its dependencies (503 with their names if not; 200 and `degraded` if it
 * can do without). /metrics: Prometheus text. /status: what the service tells of its work (404 if nothing).
 */
export async function startAdminServer(options: AdminOptions): Promise<AdminServer> {
  let draining = false;
  const server = createServer(async (request, response) => {
    const { status, type, body } = await answer(request, options, draining);
    response.writeHead(status, { 'content-type': type }).end(body);
  });
  await listen(server, options);
  return {
    port: (server.address() as AddressInfo).port,
    drain: () => {
      draining = true;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Answer {
  status: number;
  type: string;
  body: string;
}

const json = (status: number, value: unknown): Answer => ({
  status,
  type: 'application/json',
  body: `${JSON.stringify(value)}\n`,
});

/** Never throws: if anything goes wrong, the process goes on and says so. */
async function answer(request: IncomingMessage, options: AdminOptions, draining: boolean): Promise<Answer> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return json(405, { status: 'method not allowed' });
  }
  try {
    return await answerOf(request.url?.split('?')[0], options, draining);
  } catch (error) {
    return json(500, { status: codeOf(error) });
  }
}

async function answerOf(path: string | undefined, options: AdminOptions, draining: boolean): Promise<Answer> {
  const { metrics, status } = options;
  switch (path) {
    case '/healthz':
      return aliveAnswer(options);
    case '/readyz':
      return readyAnswer(options, draining);
    case '/metrics':
      return { status: 200, type: metrics.contentType, body: await metrics.metrics() };
    case '/status':
      return status ? json(200, await status()) : json(404, { status: 'not found' });
    default:
      return json(404, { status: 'not found' });
  }
}

async function aliveAnswer({ alive, checkTimeoutMs = CHECK_TIMEOUT_MS }: AdminOptions): Promise<Answer> {
  const problem = alive && (await stateOf(async () => void (await alive()), checkTimeoutMs));
  return problem === undefined ? json(200, { status: 'ok' }) : json(503, { status: textOf(problem) });
}

async function readyAnswer(options: AdminOptions, draining: boolean): Promise<Answer> {
  const { readiness, checkTimeoutMs = CHECK_TIMEOUT_MS } = options;
  const checks = Object.entries(readiness).map(
    async ([name, check]) => [name, await stateOf(check, checkTimeoutMs)] as const,
  );
  const states = await Promise.all(checks);
  const dependencies = Object.fromEntries(states.map(([name, state]) => [name, textOf(state)]));
  const ready = !draining && states.every(([, state]) => !isFailed(state));
  const degraded = states.some(([, state]) => state !== undefined);
  const partitions = Object.assign({}, ...states.map(([, state]) => partitionsOf(state))) as PartitionCodes;
  return json(ready ? 200 : 503, {
    status: draining ? 'stopping' : !ready ? 'not ready' : degraded ? 'degraded' : 'ok',
    dependencies,
    ...(Object.keys(partitions).length > 0 ? { partitions } : {}),
  });
}

const isFailed = (state: DependencyState) =>
  typeof state === 'string' || (typeof state === 'object' && 'failed' in state);

const partitionsOf = (state: DependencyState) => (typeof state === 'object' ? state.partitions : undefined);

function textOf(state: DependencyState): string {
  if (typeof state !== 'object') return state ?? 'ok';
  return 'failed' in state ? state.failed : state.degraded;
}

async function stateOf(check: ReadinessCheck, timeoutMs: number): Promise<DependencyState> {
  const { promise: late, resolve } = Promise.withResolvers<string>();
  const timer = setTimeout(() => resolve('TIMEOUT'), timeoutMs);
  try {
    return await Promise.race([check(), late]);
  } catch (error) {
    return codeOf(error);
  } finally {
    clearTimeout(timer);
  }
}

function listen(server: Server, { host, port }: AdminOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
