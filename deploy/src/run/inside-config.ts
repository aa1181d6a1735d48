import { readFileSync } from 'node:fs';
import { applyEnvironment, type Env, resolveSecret } from '@email-events/core/config';
import type { ContainerFile } from './container-files.ts';
import type { ConfigTree } from './local-config.ts';

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

const FILE_KEYS = ['caFile', 'certFile', 'keyFile'];
const SECRET_KEYS = ['secrets', 'password'];

/**
 * A complete configuration as a container can read it: the environment's values are in it, and what refers to a file or
 * a variable of this machine refers to a copy, as does a secret that stands for itself. Not as variables of the
 * container, which whoever may ask the engine sees. Throws if a secret or a file cannot be read.
 */
export function insideConfig(tree: ConfigTree, env: Env): InsideConfig {
  const files: ContainerFile[] = [];
  const copyOf = (content: string) => {
    const path = `files/${files.length}`;
    files.push({ path, content });
    return `${INSIDE.files}/${path}`;
  };
  const moved = (value: unknown, key: string): unknown => {
    if (Array.isArray(value)) return value.map((item) => moved(item, key));
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(Object.entries(value).map(([name, child]) => [name, moved(child, name)]));
    }
    if (typeof value !== 'string') return value;
    if (FILE_KEYS.includes(key)) return copyOf(readFileSync(value, 'utf8'));
    return SECRET_KEYS.includes(key) ? `file:${copyOf(secretFileOf(resolveSecret(value, env)))}` : value;
  };
  const config = moved(applyEnvironment(tree, env), '') as ConfigTree;
  return { config: withFolders(config), files };
}

/** What a file holds that stands for this secret: whoever reads it drops one line end. */
const secretFileOf = (secret: string) => (secret.endsWith('\n') ? `${secret}\n` : secret);

function withFolders(config: ConfigTree): ConfigTree {
  const { ingress, events } = config as { ingress?: ConfigTree; events?: ConfigTree };
  const spool = { ...(ingress?.spool as ConfigTree | undefined), dir: INSIDE.spool };
  return {
    ...config,
    ingress: { ...ingress, spool },
    events: { ...events, stateDir: INSIDE.state },
  };
}
