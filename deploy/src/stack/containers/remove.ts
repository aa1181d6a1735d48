import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { tryLock } from '../lock.ts';
import { lockFile } from '../running.ts';
import type { Engine } from './engine.ts';
import { unlessGone } from './engine-answers.ts';
import { DATA_DIR_LABEL, HOST_LABEL, type Labels, REUSE_LABEL, STACK_LABEL } from './labels.ts';

const GONE_MS = 20_000;
const AGAIN_MS = 50;

/** Something of the engine that belongs to a stack. */
interface Belonging {
  readonly stackId: string;
  readonly labels: Labels;
}

export interface Removed {
  readonly containers: number;
  readonly networks: number;
}

/**
 * Containers with their volumes, then networks. What is gone already is no error; what somebody else is removing is
 * waited for, since its ports are taken until it is gone.
 */
export async function removeStack({ docker }: Engine, stackId: string): Promise<Removed> {
  const filters = { label: [`${STACK_LABEL}=${stackId}`] };
  const list = () => docker.listContainers({ all: true, filters });
  const containers = await list();
  await Promise.all(
    containers.map(({ Id }) => unlessGone(docker.getContainer(Id).remove({ force: true, v: true }))),
  );
  for (const deadline = Date.now() + GONE_MS; Date.now() < deadline && (await list()).length > 0; )
    await delay(AGAIN_MS);
  const networks = await docker.listNetworks({ filters });
  await Promise.all(networks.map(({ Id }) => unlessGone(docker.getNetwork(Id).remove())));
  return { containers: containers.length, networks: networks.length };
}

export interface SweepOptions {
  /** Also what was kept for reuse, unless somebody uses it. */
  readonly kept?: boolean;
  /** Data directory whose lock the caller holds: what an earlier stack left on it belongs to nobody. */
  readonly claimed?: string;
}

/**
 * Removes what stacks of this machine left whose owner is gone: killed together with its watchdog, say, or a machine
 * that lost its power. Returns the ids of their stacks.
 */
export async function sweep(engine: Engine, { kept = false, claimed }: SweepOptions = {}): Promise<string[]> {
  const orphans = new Set<string>();
  for (const { stackId, labels } of await belongings(engine)) {
    const dataDir = labels[DATA_DIR_LABEL] ?? '';
    const ours = labels[HOST_LABEL] === hostname() && (kept || labels[REUSE_LABEL] !== 'true');
    if (ours && !orphans.has(stackId) && (dataDir === claimed || !hasOwner(dataDir))) orphans.add(stackId);
  }
  for (const stackId of orphans) await removeStack(engine, stackId);
  return [...orphans];
}

/** The lock goes with its holder, so whoever can take it knows that there is none. */
export function hasOwner(dataDir: string): boolean {
  const file = lockFile(dataDir);
  if (!existsSync(file)) return false;
  const lock = tryLock(file);
  lock?.release();
  return lock === null;
}

async function belongings({ docker }: Engine): Promise<Belonging[]> {
  const filters = { label: [STACK_LABEL] };
  const found = [
    ...(await docker.listContainers({ all: true, filters })),
    ...(await docker.listNetworks({ filters })),
  ];
  return found.map(({ Labels: labels = {} }) => ({ stackId: labels[STACK_LABEL] ?? '', labels }));
}
