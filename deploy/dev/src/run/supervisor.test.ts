import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  type ServiceHost,
  type ServiceNews,
  type ServicePorts,
  type ServiceRun,
  type ServiceTimings,
  SupervisedService,
} from './supervisor.ts';

const folder = mkdtempSync(join(tmpdir(), 'supervised-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const TIMINGS: ServiceTimings = {
  ...{ startMs: 10_000, stopMs: 10_000, pauseMs: 1, maxPauseMs: 1 },
  ...{ maxCrashes: 3, crashWindowMs: 60_000 },
};

/** A run that does what the test says. */
class MadeUpRun implements ServiceRun {
  readonly pid = 7;
  readonly signals: string[] = [];
  readonly #ready = Promise.withResolvers<ServicePorts>();
  readonly #ended = Promise.withResolvers<string>();
  readonly ready = this.#ready.promise;
  readonly ended = this.#ended.promise;
  /** Ends by SIGTERM as well, not by SIGKILL only. */
  obedient = true;

  isReady(): void {
    this.#ready.resolve({ admin: 1 });
  }

  end(how: string): void {
    this.#ended.resolve(how);
  }

  signal(name: 'SIGTERM' | 'SIGKILL'): void {
    this.signals.push(name);
    if (this.obedient || name === 'SIGKILL') this.end(`ended by ${name}`);
  }
}

class MadeUpHost implements ServiceHost {
  readonly runs: MadeUpRun[] = [];
  launches = 0;
  released = 0;
  /** Awaited by each launch. */
  launching: Promise<void> = Promise.resolve();
  autoReady = true;
  problem: string | undefined;

  async launch(): Promise<ServiceRun> {
    this.launches++;
    await this.launching;
    const run = Object.assign(new MadeUpRun(), { problem: () => this.problem });
    this.runs.push(run);
    if (this.autoReady) run.isReady();
    return run;
  }

  async release(): Promise<void> {
    this.released++;
  }
}

let count = 0;
function supervised(host: MadeUpHost, timings: Partial<ServiceTimings> = {}) {
  const news: ServiceNews[] = [];
  const logFile = join(folder, `${count++}.log`);
  const all = { ...TIMINGS, ...timings };
  const service = new SupervisedService({ name: 's', logFile }, host, (entry) => news.push(entry), all);
  return { service, news, logFile };
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('not in time');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

describe('SupervisedService', () => {
  test('one that was stopped while it was being launched is ended, and released', async () => {
    const host = new MadeUpHost();
    const { promise, resolve } = Promise.withResolvers<void>();
    host.launching = promise;
    const { service } = supervised(host);
    const starting = service.start().catch((error) => error);
    await until(() => host.launches === 1);
    const stopping = service.stop();
    resolve();
    expect(await starting).toMatchObject({ code: 'RUN_SERVICE_FAILED' });
    await stopping;
    expect(service.state).toBe('stopped');
    expect(host.runs.map(({ signals }) => signals.length > 0)).toEqual([true]);
    expect(host.released).toBe(1);
  });

  test('what cannot be launched fails with the reason; a stop releases it', async () => {
    const host = new MadeUpHost();
    host.launching = Promise.reject(new Error('its port is in use'));
    host.launching.catch(() => {});
    const { service, logFile } = supervised(host);
    await expect(service.start()).rejects.toThrow(`s: its port is in use; its log is ${logFile}`);
    expect(service.state).toBe('failed');
    await service.stop();
    expect(host.released).toBe(1);
  });

  test('one that is waited for in vain is asked why', async () => {
    const host = new MadeUpHost();
    host.autoReady = false;
    host.problem = 'its certificate is not trusted';
    const { service } = supervised(host, { startMs: 5 });
    await expect(service.start()).rejects.toThrow(
      'no sign of being ready after 5 ms (asked: its certificate is not trusted)',
    );
    await service.stop();
  });

  test('a crash is one like any other: it is started again', async () => {
    const host = new MadeUpHost();
    const { service, news } = supervised(host);
    await service.start();
    service.crash();
    await until(() => service.restarts === 1 && service.state === 'running');
    expect(news.map(({ kind }) => kind)).toEqual(['restarting', 'running again']);
    expect(host.runs).toHaveLength(2);
    await service.stop();
    service.crash();
    expect(host.runs[1]?.signals).toEqual(['SIGTERM']);
  });

  test('one that is stopped before it is launched is not launched', async () => {
    const host = new MadeUpHost();
    const { service } = supervised(host);
    const starting = service.start().catch((error) => error);
    await service.stop();
    expect(await starting).toMatchObject({ code: 'RUN_SERVICE_FAILED' });
    expect([service.state, host.launches, host.released]).toEqual(['stopped', 0, 1]);
  });

  /** The second run was not ready in time: it got its SIGKILL, is not gone yet, and the third waits for that. */
  async function waitingForItsPredecessor() {
    const host = new MadeUpHost();
    const { service } = supervised(host, { startMs: 20 });
    await service.start();
    host.autoReady = false;
    const first = host.runs[0] as MadeUpRun;
    first.end('ended with exit code 1');
    await until(() => host.runs.length === 2);
    const second = host.runs[1] as MadeUpRun;
    second.signal = (name) => void second.signals.push(name);
    await until(() => second.signals.includes('SIGKILL') && service.restarts === 2);
    await new Promise((resolve) => setImmediate(resolve));
    expect(host.launches).toBe(2);
    host.autoReady = true;
    return { host, service, second };
  }

  test('the next one is not launched before the one that was given up is gone', async () => {
    const { host, service, second } = await waitingForItsPredecessor();
    second.end('ended by SIGKILL');
    await until(() => service.state === 'running');
    expect(host.runs).toHaveLength(3);
    await service.stop();
  });

  test('a stop while it waits for that is not overtaken by a launch', async () => {
    const { host, service, second } = await waitingForItsPredecessor();
    const stopping = service.stop();
    await until(() => second.signals.includes('SIGTERM'));
    expect([host.launches, host.released]).toEqual([2, 0]);
    second.end('ended by SIGKILL');
    await stopping;
    await new Promise((resolve) => setImmediate(resolve));
    expect([service.state, host.launches, host.released]).toEqual(['stopped', 2, 1]);
  });

  test('one that was killed is waited for, then released', async () => {
    const host = new MadeUpHost();
    const { service } = supervised(host);
    await service.start();
    const run = host.runs[0] as MadeUpRun;
    run.obedient = false;
    run.signal = (name) => void run.signals.push(name);
    service.kill();
    let stopped = false;
    const stopping = service.stop().then(() => {
      stopped = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect([run.signals[0], stopped, host.released]).toEqual(['SIGKILL', false, 0]);
    run.end('ended by SIGKILL');
    await stopping;
    expect([stopped, host.released]).toEqual([true, 1]);
  });

  test('the error that nobody caught is the reason, not the line that Node ends with', async () => {
    const host = new MadeUpHost();
    host.autoReady = false;
    const { service, logFile } = supervised(host);
    const starting = service.start().catch((error) => error);
    await until(() => host.runs.length === 1);
    writeFileSync(
      logFile,
      "node:internal:1\n\nTypeError [ERR_X]: Unknown option '-x'\n    at a\n\nNode.js v24\n",
    );
    host.runs[0]?.end('ended with exit code 1');
    expect((await starting).message).toContain(
      "exit code 1: TypeError [ERR_X]: Unknown option '-x'; its log",
    );
  });
});
