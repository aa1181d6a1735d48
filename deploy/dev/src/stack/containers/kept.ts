import { hostname } from 'node:os';
import type { ComponentName } from '../stack.ts';
import type { Engine } from './engine.ts';
import {
  COMPONENT_LABEL,
  DATA_DIR_LABEL,
  HOST_LABEL,
  type Labels,
  PORTS_LABEL,
  REUSE_LABEL,
  SPEC_LABEL,
  STACK_LABEL,
  stackLabels,
} from './labels.ts';
import type { Ports } from './specs.ts';

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

/** What was kept on this data directory; nobody else may be at work there. */
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
