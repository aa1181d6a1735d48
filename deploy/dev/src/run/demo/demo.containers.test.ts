import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathsOf } from '@email-events/cli/home';
import type { RunState } from '@email-events/cli/state-file';
import { runBin, startBin } from '@email-events/cli/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { waitFor } from '../../../../../test/harness/wait.ts';
import { connectEngine, type Engine } from '../../stack/containers/engine.ts';
import { DATA_DIR_LABEL } from '../../stack/containers/ownership.ts';
import { SERVICE_NAMES } from '../services.ts';

// The command that people type, with everything in containers.

const home = mkdtempSync(join(tmpdir(), 'email-events-home-'));
const env = { EMAIL_EVENTS_HOME: home, STACK: 'containers', SERVICES: 'containers' };
let engine: Engine;
beforeAll(async () => {
  engine = await connectEngine();
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** It says itself only where to look, in a folder that is gone after the test. */
async function upDetached(): Promise<void> {
  const { code, err } = await runBin(['up', '--detach', '--any-ports', '--json'], { env });
  const log = join(pathsOf(home).logs, 'pipeline.log');
  expect(code, err + (existsSync(log) ? readFileSync(log, 'utf8') : '')).toBe(0);
}

const readRunning = () => JSON.parse(readFileSync(pathsOf(home).stateFile, 'utf8')) as RunState;

/** Of this home. */
async function left(): Promise<string[]> {
  const filters = { label: [`${DATA_DIR_LABEL}=${pathsOf(home).stack}`] };
  const containers = await engine.docker.listContainers({ all: true, filters });
  const networks = await engine.docker.listNetworks({ filters });
  return [...containers.flatMap(({ Names }) => Names), ...networks.map(({ Name }) => Name)];
}

/** Without `alerts`, of which the local pipeline has none. */
const PROCESSES = SERVICE_NAMES.length - 1;

describe('the local pipeline in containers', { timeout: 900_000 }, () => {
  test('a demo agrees at both ends; the death of its supervisor leaves nothing behind', async () => {
    const args = ['start', '--demo', '--any-ports', '--events', '1000', '--json'];
    const demo = startBin(args, { env });
    const reported = waitFor('it has reported', () => JSON.parse(demo.output().out), 600_000);
    expect(await Promise.race([reported, demo.finished]), demo.output().err).toBeUndefined();
    const { checks, totals } = JSON.parse(demo.output().out);
    expect(checks.filter(({ agrees }: { agrees: boolean }) => !agrees)).toEqual([]);
    expect(totals.rows).toBe(1_000);
    expect(await left()).toHaveLength(PROCESSES + 3 + 1);
    process.kill(readRunning().pid, 'SIGKILL');
    await waitFor('everything is gone', async () => (await left()).length === 0, 60_000);
    await demo.finished;
  });

  test('up --detach, status, simulate, down', async () => {
    await upDetached();
    await waitFor('all is ready', async () => (await runBin(['status'], { env })).code === 0, 60_000);
    expect(await left()).toHaveLength(PROCESSES + 3 + 1);
    const sent = await runBin(['simulate', '--events', '200', '--json'], { env });
    expect(sent.code, sent.out + sent.err).toBe(0);
    const { code, err } = await runBin(['down'], { env });
    expect(code, err).toBe(0);
    expect(await left()).toEqual([]);
  });

  test('services in containers need components in containers, and say so', async () => {
    const { code, err } = await runBin(['up', '--any-ports'], { env: { ...env, STACK: 'local' } });
    expect([code, err]).toEqual([1, expect.stringContaining('RUN_SERVICES_UNAVAILABLE')]);
    expect(err).toContain('STACK=containers');
  });
});
