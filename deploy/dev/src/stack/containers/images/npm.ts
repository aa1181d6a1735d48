import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { StackError } from '../../errors.ts';
import { type InstallContext, installOnce } from '../../local/install.ts';
import { runTool } from '../../local/run-tool.ts';
import type { ImageContext } from './build.ts';

/** The npm that the project says it is installed with. */
export const NPM_VERSION = npmVersion();

/** npm's own folder. */
export function installNpm(context: InstallContext): Promise<string> {
  const name = `npm@${NPM_VERSION}`;
  return installOnce(context, {
    component: 'npm',
    folder: `npm-${NPM_VERSION}`,
    detail: name,
    result: join('node_modules', 'npm'),
    fill: async (folder) => {
      const quiet = ['--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts', '--loglevel=error'];
      const { signal } = context;
      const { code, output } = await runTool('npm', ['install', '--prefix', folder, ...quiet, name], {
        signal,
      });
      if (code !== 0) throw new StackError('STACK_INSTALL_FAILED', `npm could not fetch ${name}:\n${output}`);
    },
  });
}

function npmVersion(): string {
  const file = new URL('../../../../../../package.json', import.meta.url);
  const { packageManager } = JSON.parse(readFileSync(file, 'utf8'));
  return String(packageManager).replace(/^npm@/, '');
}

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
