import { statSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { lockFile, tryLock } from '../data-dir.ts';
import type { ComponentName } from '../stack.ts';
import { type Engine, unlessGone } from './engine.ts';
import type { Ports } from './specs.ts';

/** On every container, network and volume of this project: the id of its stack. */
export const STACK_LABEL = 'email-events.stack';
/** Machine that the stack's owner runs on: only there can be told whether it lives. */
export const HOST_LABEL = 'email-events.host';
/** Data directory, whose lock the owner holds as long as it lives. */
export const DATA_DIR_LABEL = 'email-events.data-dir';
/** `true` on what is kept for the next run on purpose. */
export const REUSE_LABEL = 'email-events.reuse';
/** Component that a container is. */
export const COMPONENT_LABEL = 'email-events.component';
/** Changes with anything that makes the container another one. */
export const SPEC_LABEL = 'email-events.spec';
/** Published ports of the stack, JSON by name: what a later start has to know to find out whether the containers fit. */
export const PORTS_LABEL = 'email-events.ports';

export type Labels = Readonly<Record<string, string>>;

export function stackLabels(stackId: string, dataDir: string, reuse: boolean): Labels {
  return {
    [STACK_LABEL]: stackId,
    [HOST_LABEL]: hostname(),
    [DATA_DIR_LABEL]: dataDir,
    ...(reuse && { [REUSE_LABEL]: 'true' }),
  };
}

/**
 * State of the stack whose labels something carries. `running`: a process lives that runs the stack; `kept`: for
 * reuse, on purpose; `left`: by a process that is gone; `elsewhere`: of another machine, where alone that can be told.
 */
export type Use = 'running' | 'kept' | 'left' | 'elsewhere';

/** `claimed`: data directory whose lock the caller holds, so that no other process runs a stack there. */
export function useOf(labels: Labels, claimed?: string): Use {
  if (labels[HOST_LABEL] !== hostname()) return 'elsewhere';
  const dataDir = labels[DATA_DIR_LABEL] ?? '';
  if (dataDir !== claimed && mayHaveOwner(dataDir)) return 'running';
  return labels[REUSE_LABEL] === 'true' ? 'kept' : 'left';
}

const ABSENT: readonly unknown[] = ['ENOENT', 'ENOTDIR'];

/**
 * The lock ends with its holder, so if it can be taken, there is no owner. Where it cannot be looked at, as in
 * the folder of another user, there may well be one.
 */
function mayHaveOwner(dataDir: string): boolean {
  const file = lockFile(dataDir);
  try {
    statSync(file);
    const lock = tryLock(file);
    lock?.release();
    return lock === null;
  } catch (error) {
    return !ABSENT.includes((error as NodeJS.ErrnoException).code);
  }
}

export const networkName = (stackId: string) => `email-events-${stackId}`;

/** The stack's network: its containers, and no others, are in it and find each other by name. */
export async function createNetwork({ docker }: Engine, stackId: string, labels: Labels): Promise<void> {
  await docker.createNetwork({ Name: networkName(stackId), Driver: 'bridge', Labels: { ...labels } });
}

/** A stack that an earlier run left running for the next one. */
export interface KeptStack {
  readonly stackId: string;
  readonly labels: Labels;
  readonly ports: Ports;
  readonly containers: readonly KeptContainer[];
}

export interface KeptContainer {
  readonly id: string;
  readonly name: ComponentName;
  readonly key: string;
  readonly running: boolean;
}

/** The stack that was kept on this data directory. The caller must hold the directory's lock. */
export async function findKept({ docker }: Engine, dataDir: string): Promise<KeptStack | undefined> {
  const wanted = { [DATA_DIR_LABEL]: dataDir, [HOST_LABEL]: hostname(), [REUSE_LABEL]: 'true' };
  const label = Object.entries(wanted).map(([name, value]) => `${name}=${value}`);
  const found = await docker.listContainers({ all: true, filters: { label } });
  const own = found.filter(({ Labels }) => Labels[COMPONENT_LABEL] !== undefined);
  const first = own[0];
  if (!first) return undefined;
  const { [STACK_LABEL]: stackId = '', [PORTS_LABEL]: ports = '{}' } = first.Labels;
  return {
    stackId,
    // Not all that it carries: some say which component it is, some come from its image.
    labels: { ...stackLabels(stackId, dataDir, true), [PORTS_LABEL]: ports },
    ports: JSON.parse(ports),
    containers: own.map(({ Id, State, Labels }) => ({
      id: Id,
      name: Labels[COMPONENT_LABEL] as ComponentName,
      key: Labels[SPEC_LABEL] ?? '',
      running: State === 'running',
    })),
  };
}

const GONE_MS = 20_000;
const AGAIN_MS = 50;

export interface Removed {
  readonly containers: number;
  readonly networks: number;
}

/**
 * Containers with their volumes, then networks. What is gone already is no error; what another process is
 * removing is waited for, since its ports are taken until it is gone.
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
  /** Also stacks kept for reuse, unless a process uses them. */
  readonly kept?: boolean;
  /** Data directory whose lock the caller holds: what an earlier stack left on it has no owner. */
  readonly claimed?: string;
}

/**
 * Removes what stacks of this machine left whose owner is gone: killed together with its watchdog, say, or a machine
 * that lost its power. Returns the ids of their stacks. A stack that cannot be removed, say because a
 * foreign container is in its network, is skipped, unless it is on the caller's data directory: then this throws.
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

/** Stacks without an owner, which `sweep` removes. */
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
