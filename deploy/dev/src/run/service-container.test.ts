import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { waitFor } from '../../../../test/harness/wait.ts';
import { ServiceContainer } from './service-container.ts';
import { SERVICE_TIMINGS, type ServiceNews } from './supervisor.ts';

const folder = mkdtempSync(join(tmpdir(), 'service-container-unit-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const KILLED = 137;

/** One container of an engine, over HTTP, so that the real client says what becomes of each answer. */
class FakeContainer {
  /** Status of the answer to each start. */
  readonly starts: number[] = [];
  created = 0;
  /** As many of the next requests for its log are refused. */
  refusedLogs = 0;
  /** Open requests that wait for its end. */
  waits: ServerResponse[] = [];
  #logs: ServerResponse[] = [];
  #running = false;

  /** The engine's answers about the end are cut off; the container runs on. */
  breakWaits(): void {
    for (const response of this.waits.splice(0)) response.destroy();
  }

  answer(request: string, response: ServerResponse): void {
    const send = (status: number, body?: object) => response.writeHead(status).end(JSON.stringify(body));
    if (request === 'POST /containers/create') {
      this.created++;
      send(201, { Id: 'one' });
    } else if (request === 'POST /containers/one/start') send(this.#start());
    else if (request === 'GET /containers/one/logs') this.#follow(response);
    else if (request === 'POST /containers/one/wait') this.waits.push(response);
    else if (request === 'GET /containers/one/json') send(200, { State: { OOMKilled: false } });
    else if (request === 'POST /containers/one/kill') {
      this.#end();
      send(204);
    } else send(request === 'GET /healthz' && !this.#running ? 503 : 200);
  }

  #start(): number {
    const status = this.#running ? 304 : 204;
    this.#running = true;
    this.starts.push(status);
    return status;
  }

  #follow(response: ServerResponse): void {
    if (this.refusedLogs-- > 0) response.writeHead(500).end('{"message": "no log"}');
    else {
      response.flushHeaders();
      this.#logs.push(response);
    }
  }

  #end(): void {
    this.#running = false;
    for (const response of this.#logs.splice(0)) response.end();
    for (const response of this.waits.splice(0)) response.end(JSON.stringify({ StatusCode: KILLED }));
  }
}

async function serviceOf(container: FakeContainer) {
  const server = createServer(async (request, response) => {
    // The server must read the whole request, or the client waits.
    for await (const _ of request);
    const { pathname } = new URL(request.url ?? '/', 'http://engine');
    container.answer(`${request.method} ${pathname}`, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const docker = new Docker({ protocol: 'http', host: '127.0.0.1', port });
  const engine = { docker, address: `tcp://127.0.0.1:${port}`, host: '127.0.0.1', local: true };
  const place = { engine, image: 'i', network: 'n', labels: {} };
  const spec = { name: 's', command: ['s'], env: {}, files: [], mounts: [], ports: { http: port } };
  const news: ServiceNews[] = [];
  const service = new ServiceContainer(
    { ...spec, healthUrl: `http://127.0.0.1:${port}/healthz`, logFile: join(folder, `${port}.log`) },
    { ...place, uid: 1, gid: 1, filesFolder: '/files' },
    (entry) => news.push(entry),
    { ...SERVICE_TIMINGS, pauseMs: 1, maxPauseMs: 1 },
  );
  onTestFinished(async () => {
    await service.stop();
    server.closeAllConnections();
    server.close();
  });
  return { service, news };
}

describe('a container that runs already is one that was started', () => {
  test('after the connection that waits for its end broke', async () => {
    const container = new FakeContainer();
    const { service, news } = await serviceOf(container);
    await service.start();
    await waitFor('its end is waited for', () => container.waits.length === 1);
    container.breakWaits();
    await waitFor('it runs again', () => news.length > 1);
    expect(news.map(({ kind }) => kind)).toEqual(['restarting', 'running again']);
    expect(service.state).toBe('running');
    expect([container.starts, container.created]).toEqual([[204, 304], 1]);
  });

  test('after its log could not be followed', async () => {
    const container = new FakeContainer();
    const { service, news } = await serviceOf(container);
    await service.start();
    container.refusedLogs = 1;
    service.crash();
    await waitFor('it runs again', () => news.length > 2);
    expect(news.map(({ kind }) => kind)).toEqual(['restarting', 'restarting', 'running again']);
    expect(service.state).toBe('running');
    expect([container.starts, container.created]).toEqual([[204, 204, 304], 1]);
  });
});
