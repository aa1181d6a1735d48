import { accessSync, constants, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { delimiter, join } from 'node:path';

/** Where an engine of the system listens. */
export const SOCKET = '/var/run/docker.sock';

/** Programs that an engine needs, and the Debian packages that they are in. */
export const PROGRAMS = { dockerd: 'docker.io', iptables: 'iptables' } as const;
export type Program = keyof typeof PROGRAMS;

/** What decides whether an engine can be started here. */
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
