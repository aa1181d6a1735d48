import { setTimeout as delay } from 'node:timers/promises';
import type { Engine } from './engine.ts';
import { unlessGone } from './engine-answers.ts';
import { DATA_DIR_LABEL, type Labels, STACK_LABEL } from './labels.ts';
import { useOf } from './ownership.ts';

const GONE_MS = 20_000;
const AGAIN_MS = 50;

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
 * that lost its power. Returns the ids of their stacks. What cannot be removed, since somebody has put a container of
 * his own into a stack's network, say, is no reason not to go on, but on the caller's own data directory.
 */
export async function sweep(engine: Engine, options: SweepOptions = {}): Promise<string[]> {
  const swept: string[] = [];
  for (const { stackId, dataDir } of await findOrphans(engine, options)) {
    try {
      await removeStack(engine, stackId);
      swept.push(stackId);
    } catch (error) {
      if (dataDir === options.claimed) throw error;
    }
  }
  return swept;
}

/** Stacks that nobody runs, which `sweep` removes. */
export async function findOrphans(
  engine: Engine,
  { kept = false, claimed }: SweepOptions = {},
): Promise<{ readonly stackId: string; readonly dataDir: string }[]> {
  const orphans = new Map<string, { readonly stackId: string; readonly dataDir: string }>();
  for (const labels of await labelsOfStacks(engine)) {
    const [stackId = '', dataDir = ''] = [labels[STACK_LABEL], labels[DATA_DIR_LABEL]];
    if (orphans.has(stackId)) continue;
    const use = useOf(labels, claimed);
    if (use === 'left' || (kept && use === 'kept')) orphans.set(stackId, { stackId, dataDir });
  }
  return [...orphans.values()];
}

async function labelsOfStacks({ docker }: Engine): Promise<Labels[]> {
  const filters = { label: [STACK_LABEL] };
  const found = [
    ...(await docker.listContainers({ all: true, filters })),
    ...(await docker.listNetworks({ filters })),
  ];
  return found.map(({ Labels: labels = {} }) => labels);
}
