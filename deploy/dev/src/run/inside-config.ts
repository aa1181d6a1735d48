import { readFileSync } from 'node:fs';
import { pipelineConfig } from '@email-events/cli/services';
import {
  applyEnvironment,
  type Env,
  FILE,
  isMarked,
  type JsonSchema,
  resolveSecret,
  SECRET,
} from '@email-events/core/config';
import { type ConfigTree, type Replace, replaceValues, secretFileOf } from './config-texts.ts';
import type { ContainerFile } from './container-files.ts';

/** Where the image of our services has things (deploy/images/email-events). */
export const INSIDE = {
  files: '/etc/email-events',
  config: 'pipeline.yaml',
  state: '/var/lib/email-events/state',
  spool: '/var/lib/email-events/spool',
  receiver: '/var/lib/email-events/receiver',
} as const;

export interface InsideConfig {
  readonly config: ConfigTree;
  /** What it names, without itself. */
  readonly files: readonly ContainerFile[];
}

/**
 * A complete configuration that loadConfig takes, as a container can read it: the environment's values are in it, and what refers to a file or
 * a variable of this machine refers to a copy, as does a secret that stands for itself. Not as variables of the
 * container, which whoever may ask the engine sees. Throws if a secret or a file cannot be read.
 */
export function insideConfig(
  tree: ConfigTree,
  env: Env,
  schema: JsonSchema = pipelineConfig.schema.json,
): InsideConfig {
  const files: ContainerFile[] = [];
  const copyOf = (content: string) => {
    const path = `files/${files.length}`;
    files.push({ path, content });
    return `${INSIDE.files}/${path}`;
  };
  const moved: Replace = (value, place) => {
    if (typeof value !== 'string' || place === undefined) return value;
    if (isMarked(place, FILE)) return copyOf(readFileSync(value, 'utf8'));
    return isMarked(place, SECRET) ? `file:${copyOf(secretFileOf(resolveSecret(value, env)))}` : value;
  };
  const config = replaceValues(applyEnvironment(tree, env, schema) as ConfigTree, schema, moved);
  return { config: withFolders(config), files };
}

function withFolders(config: ConfigTree): ConfigTree {
  const { ingress, events } = config as { ingress?: ConfigTree; events?: ConfigTree };
  const spool = { ...(ingress?.spool as ConfigTree | undefined), dir: INSIDE.spool };
  return {
    ...config,
    ingress: { ...ingress, spool },
    events: { ...events, stateDir: INSIDE.state },
  };
}
