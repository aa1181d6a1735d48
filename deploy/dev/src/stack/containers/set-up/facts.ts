import { accessSync, constants, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { delimiter, join } from 'node:path';
import { StackError } from '../../errors.ts';
import { runTool } from '../../local/run-tool.ts';
import { type ProgressListener, withProgress } from '../../progress.ts';
import { SOCKET } from '../engine.ts';

export type Decision =
  /** Install these packages, if any, and start it. */
  | { readonly do: 'start'; readonly packages: readonly string[] }
  /** One line: why not, and what to do. */
  | { readonly do: 'refuse'; readonly why: string };

/** Whether an engine may be installed and started on a machine where none can be used. Changes nothing. */
export function decide(facts: EngineFacts): Decision {
  const why = reasonAgainst(facts);
  if (why !== undefined) return { do: 'refuse', why };
  return { do: 'start', packages: facts.missing.map((program) => PROGRAMS[program]) };
}

function reasonAgainst({ platform, root, distribution, dockerHost, socket, missing }: EngineFacts) {
  if (dockerHost && dockerHost !== `unix://${SOCKET}`)
    return `no container engine answers at DOCKER_HOST=${dockerHost}, and it is not for this command to start: start it, or unset DOCKER_HOST`;
  if (platform !== 'linux')
    return 'a container engine can be started by this command on Linux only: install Docker Desktop, or another engine with its API, and start it';
  if (socket === 'answers')
    return `what listens at ${SOCKET} cannot be used as a container engine: \`docker info\` says more`;
  if (socket === 'denied')
    return `this user may not use ${SOCKET}: add it to the group docker and log in again, or become root`;
  if (!root) {
    const how = missing.includes('dockerd') ? 'installed and started' : 'started';
    return `no container engine runs, and it can be ${how} by root only: run this command as root, or ask whoever administrates this machine`;
  }
  if (missing.length > 0 && !distribution.debian)
    return `${distribution.name} lacks ${missing.join(' and ')}, and this command installs on Debian and Ubuntu only: install Docker by the system's packages, then run it again`;
  return undefined;
}

/** Programs that an engine needs, and the Debian packages that they are in. */
export const PROGRAMS = { dockerd: 'docker.io', iptables: 'iptables' } as const;
export type Program = keyof typeof PROGRAMS;

/** The facts that decide whether an engine can be started here. */
export interface EngineFacts {
  readonly platform: NodeJS.Platform;
  readonly root: boolean;
  readonly distribution: Distribution;
  /** DOCKER_HOST of the environment. */
  readonly dockerHost: string | undefined;
  /** At `SOCKET`. `denied`: to this user. */
  readonly socket: 'answers' | 'denied' | 'silent';
  readonly missing: readonly Program[];
}

export interface Distribution {
  /** For people. */
  readonly name: string;
  /** Debian, or one made from it: it has apt and Debian's names of packages. */
  readonly debian: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;
const PING_MS = 2_000;
// A shell that is not root's login shell often lacks them.
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

export async function gatherFacts(env: Environment): Promise<EngineFacts> {
  const path = systemPath(env);
  return {
    platform: process.platform,
    root: process.getuid?.() === 0,
    distribution: readDistribution(),
    dockerHost: env.DOCKER_HOST || undefined,
    socket: await engineAt(SOCKET),
    missing: (Object.keys(PROGRAMS) as Program[]).filter((program) => !isOnPath(program, path)),
  };
}

/** The PATH with the folders of the system's programs. */
export function systemPath(env: Environment): string {
  const folders = (env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return [...folders, ...SYSTEM_FOLDERS.filter((folder) => !folders.includes(folder))].join(delimiter);
}

/** Out of the text of /etc/os-release. */
export function parseDistribution(text: string): Distribution {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^([A-Z_]+)=(["']?)(.*)\2$/.exec(line.trim());
    if (match) values.set(match[1] as string, match[3] as string);
  }
  const id = values.get('ID') ?? '';
  const families = [id, ...(values.get('ID_LIKE') ?? '').split(' ')];
  return {
    name: values.get('PRETTY_NAME') ?? values.get('NAME') ?? (id || 'this system'),
    debian: families.includes('debian') || families.includes('ubuntu'),
  };
}

/** Whether an engine answers a request at a socket. */
export function engineAt(socketPath: string): Promise<EngineFacts['socket']> {
  return new Promise((resolve) => {
    const request = get({ socketPath, path: '/_ping', timeout: PING_MS, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? 'answers' : 'silent');
    });
    request.once('timeout', () => request.destroy(new Error('no answer')));
    request.once('error', ({ code }: NodeJS.ErrnoException) =>
      resolve(code === 'EACCES' || code === 'EPERM' ? 'denied' : 'silent'),
    );
  });
}

function readDistribution(): Distribution {
  try {
    return parseDistribution(readFileSync('/etc/os-release', 'utf8'));
  } catch {
    return parseDistribution('');
  }
}

function isOnPath(program: string, path: string): boolean {
  return path.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

// Another apt may be at work, as on a machine that has just booted.
const LOCK_WAIT = ['-o', 'DPkg::Lock::Timeout=120'];
const APT = ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...LOCK_WAIT] as const;

/**
 * Installs Debian packages, as root. Not called off by any signal: half an installation is worse than the wait.
 * @throws StackError STACK_INSTALL_FAILED, ending with what apt said
 */
export async function installPackages(
  packages: readonly string[],
  listener: ProgressListener,
): Promise<void> {
  if (packages.length === 0) return;
  const detail = packages.join(' ');
  await withProgress(listener, { component: 'apt', step: 'install', detail }, async () => {
    const install = ['install', '-y', '--no-install-recommends', ...packages];
    if ((await apt(install)).code === 0) return;
    // The lists of packages are missing or too old.
    await must(['update']);
    await must(install);
  });
}

async function must(args: readonly string[]): Promise<void> {
  const { code, output } = await apt(args);
  if (code === 0) return;
  const lines = output.trim().split('\n');
  // The first line alone says what to do, since some callers show only that.
  const message = [`\`apt-get ${args.join(' ')}\` failed: ${lines.at(-1)}`, 'it said:', ...lines];
  throw new StackError('STACK_INSTALL_FAILED', message.join('\n'));
}

function apt(args: readonly string[]) {
  const [file, ...fixed] = APT;
  return runTool(file, [...fixed, ...args]);
}
