import { existsSync } from 'node:fs';
import { runTool } from '../../local/run-tool.ts';
import type { ImageContext } from './context.ts';

/** How a build's commands reach the registry of npm packages that this machine uses. */
export interface NpmReach {
  readonly network: string | undefined;
  readonly buildArgs: Readonly<Record<string, string>>;
  /** PEM file with what a TLS proxy's certificates are signed by. */
  readonly authorities: string | undefined;
}

/** Docker takes these as build arguments without their being declared, and keeps them out of the image. */
const PROXY_VARIABLES = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'];

/**
 * As npm does here: through this machine's own network where the engine is on it (a bridge often has no name server),
 * its proxy, its mirror, its authorities. A mirror with credentials in its address is left out: a build argument is no
 * place for those.
 */
export async function reachNpm({ engine, env, signal }: ImageContext): Promise<NpmReach> {
  const setting = async (name: string) => {
    const { code, stdout } = await runTool('npm', ['config', 'get', name, '--workspaces=false'], { signal });
    const value = stdout.trim();
    return code !== 0 || value === 'null' || value === 'undefined' ? '' : value;
  };
  const [registry, cafile] = await Promise.all([setting('registry'), setting('cafile')]);
  const proxies = PROXY_VARIABLES.flatMap((name) => (env[name] ? [[name, env[name]] as const] : []));
  const authorities = [cafile, env.NODE_EXTRA_CA_CERTS].find((file) => file && existsSync(file));
  return {
    network: engine.local ? 'host' : undefined,
    buildArgs: {
      ...Object.fromEntries(proxies),
      ...(isPlainUrl(registry) && { NPM_REGISTRY: registry }),
    },
    authorities,
  };
}

function isPlainUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { username, password } = new URL(text);
  return username === '' && password === '';
}
