import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { choosePorts } from '../ports.ts';
import type { ComponentExit } from '../stack.ts';
import { ContainerComponent, type MakingSteps } from './container-component.ts';
import { connectEngine, type Engine } from './engine.ts';
import { provideImage } from './images/choose.ts';
import { StackContainer, waitingFor } from './make-container.ts';
import { createNetwork, networkName, removeStack, stackLabels } from './ownership.ts';
import type { ContainerSpec } from './specs.ts';

// One small container in place of Kafka and the others: what is tested is the handling.
const SERVER = `
  const { createServer } = require('node:http');
  createServer((_, response) => response.end(String(process.pid))).listen(8080, () => console.log('listening'));
  process.on('SIGTERM', () => { console.log('ending in order'); process.exit(0); });`;

let engine: Engine;
let image: string;

beforeAll(async () => {
  engine = await connectEngine();
  ({ reference: image } = await provideImage('node', { engine, env: process.env, onProgress: () => {} }));
});

interface Made {
  readonly component: ContainerComponent;
  readonly url: string;
  readonly spec: ContainerSpec;
  readonly stackId: string;
  create(): Promise<void>;
}

async function prepare(script: string, spec: Partial<ContainerSpec> = {}): Promise<Made> {
  const folder = mkdtempSync(join(tmpdir(), 'container-component-'));
  const stackId = randomBytes(6).toString('hex');
  onTestFinished(async () => {
    await removeStack(engine, stackId);
    rmSync(folder, { recursive: true, force: true });
  });
  const { port } = await choosePorts({ port: {} });
  const labels = stackLabels(stackId, folder, false);
  await createNetwork(engine, stackId, labels);
  const publish = [{ container: 8080, host: port }];
  const complete: ContainerSpec = {
    ...{ name: 'registry', image, env: {}, publish, dataFolder: '/data', copy: [] },
    ...{ startDeadlineMs: 30_000, stopDeadlineMs: 5_000 },
    answers: () => answers(`http://127.0.0.1:${port}`),
    ...spec,
  };
  const component = new ContainerComponent(complete, engine, join(folder, 'log'));
  const make = async ({ created, started, ready }: MakingSteps) => {
    const network = networkName(stackId);
    const options = { image: complete.image, labels, network, alias: 'one', publish: complete.publish };
    const container = new StackContainer({ ...options, loopback: true, created, started });
    container.withCommand(['node', '-e', script]).withWaitStrategy(waitingFor(ready));
    await container.start();
  };
  const create = () => component.create(make, new AbortController().signal);
  return { component, url: `http://127.0.0.1:${port}`, spec: complete, stackId, create };
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { headers: { connection: 'close' }, signal: AbortSignal.timeout(1_000) })).ok;
  } catch {
    return false;
  }
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 30_000; !(await condition()); await delay(20))
    if (Date.now() > deadline) throw new Error('the condition never held');
}

test('is stopped, killed, frozen and started on the same port, and says what it said', async () => {
  const { component, url, create } = await prepare(SERVER);
  const exits: ComponentExit[] = [];
  component.onExit((exit) => exits.push(exit));
  await create();
  expect(component.state).toBe('running');
  expect(await answers(url)).toBe(true);
  expect(readFileSync(`/proc/${component.pid}/cmdline`, 'utf8')).toContain('listening');

  await component.stop();
  expect(component.state).toBe('stopped');
  expect(component.pid).toBeUndefined();
  expect(await answers(url)).toBe(false);
  await component.start();
  expect(await answers(url)).toBe(true);
  await expect(component.start()).rejects.toMatchObject({ code: 'STACK_COMPONENT_STATE' });

  await component.pause();
  expect(component.state).toBe('paused');
  expect(await answers(url)).toBe(false);
  await component.resume();
  expect(await answers(url)).toBe(true);
  await component.pause();
  await component.kill();
  expect(component.state).toBe('stopped');
  await component.start();
  await component.pause();
  await component.stop();
  await component.restart();
  expect(await answers(url)).toBe(true);

  expect(exits).toEqual([]);
  const log = readFileSync(component.logFile, 'utf8');
  expect(log.match(/listening/g)).toHaveLength(4);
  expect(log.match(/ending in order/g)).toHaveLength(2);
});

test('tells when it ends by itself, and how', async () => {
  const { component, create, stackId } = await prepare(SERVER);
  const exits: ComponentExit[] = [];
  component.onExit((exit) => exits.push(exit));
  await create();
  const [container] = await engine.docker.listContainers({
    filters: { label: [`email-events.stack=${stackId}`] },
  });
  await engine.docker.getContainer(container?.Id ?? '').kill({ signal: 'SIGKILL' });
  await until(() => exits.length > 0);
  expect(exits).toEqual([{ code: null, signal: 'SIGKILL' }]);
  expect(component.state).toBe('stopped');
  await component.start();
  expect(component.state).toBe('running');
});

test('one that ends while it starts is reported with its exit code and its log', async () => {
  const { component, create } = await prepare("console.error('no such setting: x'); process.exit(3)");
  await expect(create()).rejects.toMatchObject({
    code: 'STACK_COMPONENT_DIED',
    message: expect.stringMatching(/exit code 3[\s\S]*no such setting: x/),
  });
  expect(component.state).toBe('stopped');
});

test('one that runs and answers nothing is given up with its log', async () => {
  const script = "console.log('still thinking'); setInterval(() => {}, 1000)";
  const { create } = await prepare(script, { startDeadlineMs: 500 });
  await expect(create()).rejects.toMatchObject({
    code: 'STACK_COMPONENT_TIMEOUT',
    message: expect.stringContaining('still thinking'),
  });
});

test('so is one that does not answer when it is started again', async () => {
  const once = `
    const { existsSync, writeFileSync } = require('node:fs');
    if (existsSync('/tmp/again')) { console.log('not again'); setInterval(() => {}, 1000); }
    else { writeFileSync('/tmp/again', ''); ${SERVER} }`;
  const { component, spec, create } = await prepare(once);
  await create();
  await component.kill();
  Object.assign(spec, { startDeadlineMs: 500 });
  await expect(component.start()).rejects.toMatchObject({ code: 'STACK_COMPONENT_TIMEOUT' });
  expect(component.state).toBe('stopped');
  expect(readFileSync(component.logFile, 'utf8')).toContain('not again');
});

test('a port that another program has is named', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => new Promise((resolve) => server.close(() => resolve())));
  const { port } = server.address() as AddressInfo;
  const { component, create } = await prepare(SERVER, { publish: [{ container: 8080, host: port }] });
  await expect(create()).rejects.toMatchObject({
    code: 'STACK_PORT_TAKEN',
    message: expect.stringContaining(`port ${port} is in use`),
  });
  await component.kill();
  expect(component.state).toBe('stopped');
});

test('an image that was removed is named', async () => {
  const { create } = await prepare(SERVER, { image: 'email-events/none:0' });
  await expect(create()).rejects.toMatchObject({
    code: 'STACK_IMAGE_MISSING',
    message: expect.stringContaining('email-events/none:0'),
  });
});

test('its published port is on loopback only, and it is in the network of the stack only', async () => {
  const { create, stackId } = await prepare(SERVER);
  await create();
  const [container] = await engine.docker.listContainers({
    filters: { label: [`email-events.stack=${stackId}`] },
  });
  expect(container?.Ports.map(({ IP }) => IP)).toEqual(['127.0.0.1']);
  expect(Object.keys(container?.NetworkSettings.Networks ?? {})).toEqual([networkName(stackId)]);
  expect(container?.Labels['email-events.host']).toBe(hostname());
});
