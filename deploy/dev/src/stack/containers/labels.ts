import { hostname } from 'node:os';

/** On everything of ours that the engine has: the id of the stack that it belongs to. */
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
