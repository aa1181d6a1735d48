import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { waitFor } from '../../../../test/harness/wait.ts';
import { connectEngine, type Engine } from '../stack/containers/engine.ts';
import { provideServicesImages } from '../stack/containers/images/services.ts';
import { printProgress } from '../stack/index.ts';
import { INSIDE, mountFolder, userOfContainers } from './container-files.ts';
import { chooseLocalPorts } from './ports.ts';
import { type ContainerPlace, type ContainerSpec, ServiceContainer } from './service-container.ts';
import { SERVICE_TIMINGS, type ServiceNews } from './supervisor.ts';

// Of our services the receiver needs nothing else to run.

const LABEL = 'email-events.test';
const NETWORK = `email-events-test-${process.pid}`;
const SECRET = `whsec_${Buffer.alloc(24, 1).toString('base64')}`;
const home = mkdtempSync(join(tmpdir(), 'service-container-'));
let engine: Engine;
let place: ContainerPlace;
const running: ServiceContainer[] = [];

beforeAll(async () => {
  engine = await connectEngine();
  const { receiver: image } = await provideServicesImages({
    ...{ engine, env: process.env, onProgress: printProgress },
  });
  await engine.docker.createNetwork({ Name: NETWORK, Driver: 'bridge' });
  const labels = { [LABEL]: NETWORK };
  place = { engine, image, network: NETWORK, labels, ...userOfContainers(), filesFolder: INSIDE.files };
}, 900_000);

afterEach(async () => {
  for (const service of running.splice(0)) await service.stop();
});

afterAll(async () => {
  await engine?.docker.getNetwork(NETWORK).remove();
  rmSync(home, { recursive: true, force: true });
});

let count = 0;
async function receiver(changes: Partial<ContainerSpec> = {}) {
  const { receiver: port } = await chooseLocalPorts({ any: true });
  const folder = join(home, String(count++));
  const spec: ContainerSpec = {
    name: 'receiver',
    command: ['receiver', '--port', String(port)],
    env: { EMAIL_EVENTS_RECEIVER_SECRETS: `file:${INSIDE.files}/crm.secret` },
    files: [{ path: 'crm.secret', content: SECRET }],
    mounts: await mountFolder(engine, place, { source: join(folder, 'data'), target: INSIDE.receiver }),
    ports: { http: port },
    healthUrl: `http://${engine.host}:${port}/healthz`,
    logFile: join(folder, 'receiver.log'),
    ...changes,
  };
  const news: ServiceNews[] = [];
  const timings = { ...SERVICE_TIMINGS, pauseMs: 50, maxPauseMs: 50 };
  const service = new ServiceContainer(spec, place, (entry) => news.push(entry), timings);
  running.push(service);
  return { service, spec, news, port };
}

/** Of this test. */
const containers = () =>
  engine.docker.listContainers({ all: true, filters: { label: [`${LABEL}=${NETWORK}`] } });
/** Those that the engine made for a container. */
async function volumesOf(id: string): Promise<string[]> {
  const { Mounts } = await engine.docker.getContainer(id).inspect();
  return Mounts.flatMap(({ Type, Name }) => (Type === 'volume' && Name ? [Name] : []));
}
const allVolumes = async () => (await engine.docker.listVolumes()).Volumes.map(({ Name }) => Name);

describe('a service in a container', { timeout: 120_000 }, () => {
  test('answers, is started again when it was killed, and leaves nothing behind', async () => {
    const { service, spec, news, port } = await receiver();
    await service.start();
    expect(service).toMatchObject({ state: 'running', ports: { http: port }, restarts: 0, pid: undefined });
    const [{ Id: first } = { Id: '' }] = await containers();
    service.crash();
    await waitFor('it runs again', () => service.restarts === 1 && service.state === 'running', 60_000);
    expect(news).toMatchObject([{ kind: 'restarting', how: 'ended by SIGKILL' }, { kind: 'running again' }]);
    expect((await containers()).map(({ Id }) => Id)).toEqual([first]);
    expect((await fetch(spec.healthUrl)).status).toBe(200);
    const volumes = await volumesOf(first);
    expect(await allVolumes()).toEqual(expect.arrayContaining(volumes));
    expect(volumes.length).toBeGreaterThan(0);
    await service.stop();
    expect(await containers()).toEqual([]);
    expect((await allVolumes()).filter((name) => volumes.includes(name))).toEqual([]);
  });

  test('is locked in: no root, nothing to write, no port beyond this machine', async () => {
    const { service, port } = await receiver();
    await service.start();
    const [{ Id } = { Id: '' }] = await containers();
    const { Config, HostConfig } = await engine.docker.getContainer(Id).inspect();
    expect(Config.User).not.toMatch(/^0?:|^0$|^root/);
    expect(HostConfig).toMatchObject({ ReadonlyRootfs: true, CapDrop: ['ALL'], Privileged: false });
    const bindings = HostConfig.PortBindings as { [port: string]: { HostIp: string; HostPort: string }[] };
    expect(bindings[`${port}/tcp`]).toEqual([
      { HostIp: engine.local ? '127.0.0.1' : '', HostPort: String(port) },
    ]);
    expect(JSON.stringify({ Config, HostConfig })).not.toContain(SECRET);
  });

  test('its files are for its user only', async () => {
    const { service } = await receiver();
    await service.start();
    const [{ Id } = { Id: '' }] = await containers();
    const inside = engine.docker.getContainer(Id);
    const read = async (user: string) => {
      const exec = await inside.exec({
        Cmd: ['cat', `${INSIDE.files}/crm.secret`],
        User: user,
        AttachStdout: true,
      });
      const stream = await exec.start({});
      stream.resume();
      await new Promise((resolve) => stream.once('end', resolve));
      return (await exec.inspect()).ExitCode;
    };
    expect(await read(`${place.uid}:${place.gid}`)).toBe(0);
    expect(await read('4321:4321')).not.toBe(0);
  });

  test('one that cannot use its configuration says why, and is gone after the stop', async () => {
    const { service, spec } = await receiver({ command: ['ingress'], files: [] });
    const error = await service.start().catch((caught) => caught);
    expect(error.code).toBe('RUN_SERVICE_FAILED');
    expect(error.message).toContain('ended with exit code 1: CONFIG_INVALID');
    expect(error.message).toContain('plain HTTP off loopback');
    expect(readFileSync(spec.logFile, 'utf8')).toContain('plain HTTP off loopback');
    await service.stop();
    expect(await containers()).toEqual([]);
  });

  test('a port that is taken is named', async () => {
    const { service, port } = await receiver();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(port, resolve));
    try {
      await expect(service.start()).rejects.toThrow(`(${port}) is in use`);
    } finally {
      await new Promise((resolve) => other.close(resolve));
    }
  });

  test('one that was removed behind our back is made anew', async () => {
    const { service, spec } = await receiver();
    await service.start();
    const [{ Id } = { Id: '' }] = await containers();
    await engine.docker.getContainer(Id).remove({ force: true, v: true });
    await waitFor('it runs again', () => service.restarts > 0 && service.state === 'running', 60_000);
    expect((await fetch(spec.healthUrl)).status).toBe(200);
    const found = await containers();
    expect(found).toHaveLength(1);
    expect(found[0]?.Id).not.toBe(Id);
  });
});
