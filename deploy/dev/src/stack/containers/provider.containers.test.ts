import { existsSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { describeBrokers } from '../../../../../test/cluster/brokers-contract.ts';
import { lockFile, tryLock } from '../data-dir.ts';
import { localProvider } from '../local/provider.ts';
import { choosePorts } from '../ports.ts';
import { answers, describeProvider, freshDataDir, query } from '../testing/provider-contract.ts';
import { connectEngine } from './engine.ts';
import { provideImage } from './images/choose.ts';
import {
  COMPONENT_LABEL,
  createNetwork,
  DATA_DIR_LABEL,
  findOrphans,
  removeStack,
  STACK_LABEL,
  stackLabels,
  sweep,
} from './ownership.ts';
import { containersProvider } from './provider.ts';

const provider = containersProvider(process.env);

describeBrokers({ provider, kafkaLog: 'containers/kafka' });

describeProvider({
  name: 'containers',
  provider,
  kafkaLog: 'containers/kafka',
  async killFromOutside(stack, { name }) {
    const { docker } = await connectEngine();
    const label = [`${STACK_LABEL}=${idOf(stack)}`, `${COMPONENT_LABEL}=${name}`];
    const [found] = await docker.listContainers({ filters: { label } });
    await docker.getContainer(found?.Id ?? '').kill({ signal: 'SIGKILL' });
  },
  lives: ({ pid }) => pid !== undefined && existsSync(`/proc/${pid}`),
  left: (dataDir) => labelled(DATA_DIR_LABEL, dataDir),
});

/** Containers and networks of a stack on the engine. */
const left = (stackId: string) => labelled(STACK_LABEL, stackId);

/** Containers, running or not, and networks. */
async function labelled(label: string, value: string): Promise<number> {
  const { docker } = await connectEngine();
  const filters = { label: [`${label}=${value}`] };
  const [containers, networks] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listNetworks({ filters }),
  ]);
  return containers.length + networks.length;
}

const idOf = (stack: { inside?: { labels: Readonly<Record<string, string>> } }) =>
  stack.inside?.labels[STACK_LABEL] ?? '';

test('its components are found by name from inside its network, and nothing is left after it', async () => {
  const engine = await connectEngine();
  const volumes = async () => (await engine.docker.listVolumes()).Volumes.map(({ Name }) => Name).sort();
  const before = await volumes();
  const stack = await provider.start({ dataDir: freshDataDir() });
  onTestFinished(() => stack.stop());
  const { network = '', addresses } = stack.inside ?? {};
  const { reference } = await provideImage('node', { engine, env: process.env, onProgress: () => {} });
  const [broker = ''] = addresses?.kafka.brokers ?? [];
  const script = `
    const { connect } = require('node:net');
    const [host, port] = '${broker}'.split(':');
    (async () => {
      const subjects = await fetch('${addresses?.registry.url}/subjects');
      const one = await fetch('${addresses?.clickhouse.url}/?query=SELECT%201');
      await new Promise((resolve, reject) => connect(Number(port), host, resolve).once('error', reject));
      process.exit(subjects.status === 200 && (await one.text()) === '1\\n' ? 0 : 1);
    })();`;
  const visitor = await engine.docker.createContainer({
    Image: reference,
    Cmd: ['node', '-e', script],
    Labels: { ...stack.inside?.labels },
    HostConfig: { NetworkMode: network },
  });
  await visitor.start();
  expect(await visitor.wait()).toMatchObject({ StatusCode: 0 });
  // It carries the stack's labels, so it goes with the stack.
  await stack.stop();
  expect(await left(idOf(stack))).toBe(0);
  expect(await volumes()).toEqual(before);
});

test('one that is kept for reuse is found again, with its data, and replaced when it does not fit', async () => {
  const dataDir = freshDataDir();
  const first = await provider.start({ dataDir, reuse: true });
  onTestFinished(async () => void (await removeStack(await connectEngine(), idOf(first))));
  await query(first, 'CREATE DATABASE kept');
  await first.stop();
  expect(await answers(first)).toEqual([true, true, true]);

  const second = await provider.start({ dataDir, reuse: true });
  expect(idOf(second)).toBe(idOf(first));
  expect(second.kafka).toEqual(first.kafka);
  expect(await query(second, "SELECT count() FROM system.databases WHERE name = 'kept'")).toBe('1');
  await second.component('kafka').restart();
  expect(await answers(second)).toEqual([true, true, true]);
  await second.component('registry').kill();
  await second.stop();

  // One of its containers does not run, so all of them are made anew, on the data that is there.
  const third = await provider.start({ dataDir, reuse: true });
  onTestFinished(async () => void (await removeStack(await connectEngine(), idOf(third))));
  expect(idOf(third)).not.toBe(idOf(first));
  expect(await left(idOf(first))).toBe(0);
  expect(await answers(third)).toEqual([true, true, true]);
  expect(await query(third, "SELECT count() FROM system.databases WHERE name = 'kept'")).toBe('1');
  await third.stop();

  // Another port is another stack; not wanting any reuse ends it.
  const { clickhouse } = await choosePorts({ clickhouse: {} });
  const fourth = await provider.start({ dataDir, reuse: true, ports: { clickhouse } });
  onTestFinished(async () => void (await removeStack(await connectEngine(), idOf(fourth))));
  expect(fourth.clickhouse.url).toContain(`:${clickhouse}`);
  await fourth.stop();
  const last = await provider.start({ dataDir });
  onTestFinished(() => last.stop());
  expect(await left(idOf(fourth))).toBe(0);
  await last.stop();
  expect(await left(idOf(last))).toBe(0);
});

test('processes and containers may take turns on a data directory: each has its own data', async () => {
  const dataDir = freshDataDir();
  for (const next of [localProvider(), provider]) {
    const stack = await next.start({ dataDir });
    onTestFinished(() => stack.stop());
    expect(await answers(stack)).toEqual([true, true, true]);
    await stack.stop();
  }
});

test('what an owner left that died with its watchdog is swept; what lives or is kept is not', async () => {
  const engine = await connectEngine();
  const make = async (id: string, dataDir: string, reuse: boolean) => {
    await createNetwork(engine, id, stackLabels(id, dataDir, reuse));
    onTestFinished(async () => void (await removeStack(engine, id)));
  };
  const owned = freshDataDir();
  const lock = tryLock(lockFile(owned));
  onTestFinished(() => lock?.release());
  await make('swept-dead', freshDataDir(), false);
  await make('swept-gone', '/there/is/no/such/folder', false);
  await make('swept-owned', owned, false);
  await make('swept-kept', freshDataDir(), true);

  const swept = (await sweep(engine)).filter((id) => id.startsWith('swept-'));
  expect(swept.sort()).toEqual(['swept-dead', 'swept-gone']);
  expect(await left('swept-dead')).toBe(0);
  expect(await left('swept-owned')).toBe(1);
  expect(await left('swept-kept')).toBe(1);
  // Others may have kept something as well.
  const orphans = (await findOrphans(engine, { kept: true })).map(({ stackId }) => stackId);
  expect(orphans.filter((id) => id.startsWith('swept-'))).toEqual(['swept-kept']);
});
