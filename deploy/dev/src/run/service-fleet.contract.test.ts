import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { ServiceProcess } from './service-fleet.ts';
import type { ServiceNews, ServiceTimings } from './supervisor.ts';

const folder = mkdtempSync(join(tmpdir(), 'service-process-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const TIMINGS: ServiceTimings = {
  ...{ startMs: 15_000, stopMs: 15_000, pauseMs: 10, maxPauseMs: 20 },
  ...{ maxCrashes: 3, crashWindowMs: 60_000 },
};
const running: ServiceProcess[] = [];
afterEach(async () => {
  for (const service of running.splice(0)) await service.stop();
});

let count = 0;
/** A service whose whole program is this text. */
function serviceOf(program: string, timings: Partial<ServiceTimings> = {}) {
  const name = `s${count++}`;
  const script = join(folder, `${name}.mjs`);
  writeFileSync(script, program);
  const news: ServiceNews[] = [];
  const spec = { name, script, args: [], logFile: join(folder, 'logs', `${name}.log`) };
  const service = new ServiceProcess(spec, (entry) => news.push(entry), { ...TIMINGS, ...timings });
  running.push(service);
  return { service, news, marker: join(folder, `${name}.marker`), spec };
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('not in time');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const READY = `process.send({ ready: true, ports: { admin: 4711 } });`;
const ORDERLY = `${READY} process.on('SIGTERM', () => process.exit(0)); process.on('disconnect', () => process.exit(0));`;

describe('ServiceProcess', () => {
  test('starts, tells its ports, keeps its output, and stops when told', async () => {
    const { service, news, spec } = serviceOf(`console.log('hello'); ${ORDERLY}`);
    await service.start();
    expect(service).toMatchObject({ state: 'running', ports: { admin: 4711 }, restarts: 0 });
    const { pid } = service;
    await service.stop();
    expect(service.state).toBe('stopped');
    expect(() => process.kill(pid as number, 0)).toThrow();
    expect(readFileSync(spec.logFile, 'utf8')).toContain('hello');
    expect(news).toEqual([]);
  });

  test('one that ends before it is ready fails with its last fatal line', async () => {
    const fatal = {
      level: 'fatal',
      code: 'CONFIG_INVALID',
      msg: 'no',
      problems: [{ path: 'a.b', message: 'bad' }],
    };
    const { service, spec } = serviceOf(
      `console.log(${JSON.stringify(JSON.stringify(fatal))}); process.exit(1);`,
    );
    const error = await service.start().catch((caught) => caught);
    expect(error.code).toBe('RUN_SERVICE_FAILED');
    expect(error.message).toContain('CONFIG_INVALID no a.b: bad');
    expect(error.message).toContain(spec.logFile);
    expect(service.state).toBe('failed');
  });

  test('one that never says that it is ready fails and is gone', async () => {
    const { service } = serviceOf('setInterval(() => {}, 1000);', { startMs: 200 });
    await expect(service.start()).rejects.toMatchObject({ code: 'RUN_SERVICE_FAILED' });
    const { pid } = service;
    await until(() => {
      try {
        process.kill(pid as number, 0);
        return false;
      } catch {
        return true;
      }
    });
  });

  test('one that is killed is started again', async () => {
    const { service, news } = serviceOf(ORDERLY);
    await service.start();
    const first = service.pid as number;
    process.kill(first, 'SIGKILL');
    await until(() => news.some(({ kind }) => kind === 'running again'));
    expect(service).toMatchObject({ state: 'running', restarts: 1 });
    expect(service.pid).not.toBe(first);
    expect(news[0]).toMatchObject({ kind: 'restarting', how: 'ended by SIGKILL' });
  });

  test('one that ends again and again is given up', async () => {
    const { service, news } = serviceOf(`${READY} setTimeout(() => process.exit(7), 5);`);
    await service.start();
    await until(() => service.state === 'failed');
    expect(news.filter(({ kind }) => kind === 'restarting')).toHaveLength(TIMINGS.maxCrashes - 1);
    expect(news.at(-1)).toMatchObject({ kind: 'failed' });
  });

  test('one that does not stop is killed after its time', async () => {
    const { service } = serviceOf(`process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); ${READY}`, {
      stopMs: 100,
    });
    await service.start();
    const { pid } = service;
    await service.stop();
    expect(() => process.kill(pid as number, 0)).toThrow();
  });

  test('a stop between two starts is final', async () => {
    const { service, news } = serviceOf(ORDERLY, { pauseMs: 60_000, maxPauseMs: 60_000 });
    await service.start();
    process.kill(service.pid as number, 'SIGKILL');
    await until(() => news.length > 0);
    await service.stop();
    expect(service.state).toBe('stopped');
  });

  test('the log of the run before stays beside the new one', async () => {
    const { service, spec } = serviceOf(ORDERLY);
    await service.start();
    await service.stop();
    await service.start();
    expect(existsSync(`${spec.logFile}.1`)).toBe(true);
  });
});
