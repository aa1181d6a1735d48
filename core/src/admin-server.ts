import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

/** A dependency's state: undefined when it is fine, else why not (a code, no details of the outside). */
export type ReadinessCheck = () => Promise<string | undefined> | string | undefined;

export interface AdminServer {
  readonly port: number;
  /** From now on /readyz says no, so that a balancer stops sending. */
  drain(): void;
  close(): Promise<void>;
}

export interface AdminOptions {
  readonly host: string;
  readonly port: number;
  readonly metrics: Registry;
  /** By dependency name. */
  readonly readiness: { readonly [dependency: string]: ReadinessCheck };
}

/** /healthz: the process answers. /readyz: so do its dependencies (503 with their names if not). /metrics: Prometheus text. */
export async function startAdminServer(options: AdminOptions): Promise<AdminServer> {
  let draining = false;
  const server = createServer(async (request, response) => {
    const { status, type, body } = await answer(request.url ?? '/', options, draining);
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

async function answer(url: string, { metrics, readiness }: AdminOptions, draining: boolean): Promise<Answer> {
  switch (url.split('?')[0]) {
    case '/healthz':
      return json(200, { status: 'ok' });
    case '/readyz':
      return readyAnswer(readiness, draining);
    case '/metrics':
      return { status: 200, type: metrics.contentType, body: await metrics.metrics() };
    default:
      return json(404, { status: 'not found' });
  }
}

async function readyAnswer(readiness: AdminOptions['readiness'], draining: boolean): Promise<Answer> {
  const dependencies: { [name: string]: string } = {};
  let ready = !draining;
  for (const [name, check] of Object.entries(readiness)) {
    const problem = await check();
    dependencies[name] = problem ?? 'ok';
    ready &&= problem === undefined;
  }
  return json(ready ? 200 : 503, {
    status: draining ? 'stopping' : ready ? 'ok' : 'not ready',
    dependencies,
  });
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
