import { connect } from 'node:net';
import { constants, hostname } from 'node:os';
import { StackError } from '../errors.ts';

type Client = Awaited<ReturnType<typeof import('testcontainers')['getContainerRuntimeClient']>>;

/** A container engine that answers. */
export interface Engine {
  /** Docker's API. */
  readonly docker: Client['container']['dockerode'];
  /** Of that API, as DOCKER_HOST says it. */
  readonly address: string;
  /** Where published ports are reached from here. */
  readonly host: string;
  /** The engine runs on this machine: published ports are bound to loopback, and process ids mean something here. */
  readonly local: boolean;
}

/** Where an engine of the system listens. */
export const SOCKET = '/var/run/docker.sock';

const LOOPBACK = ['localhost', '127.0.0.1', '::1'];

/**
 * Finds the engine as testcontainers does: DOCKER_HOST, the context's settings, the usual sockets.
 * @throws StackError STACK_ENGINE_UNAVAILABLE
 */
export async function connectEngine(): Promise<Engine> {
  // Imported here only: who runs no containers need not load it, nor have it installed.
  const { getContainerRuntimeClient } = await import('testcontainers');
  let client: Client;
  try {
    client = await getContainerRuntimeClient();
  } catch (cause) {
    throw new StackError('STACK_ENGINE_UNAVAILABLE', await explain(), { cause });
  }
  const { host } = client.info.containerRuntime;
  const docker = client.container.dockerode;
  if (isAnother(docker)) throw new StackError('STACK_ENGINE_UNAVAILABLE', await explain());
  // In what looks like a container testcontainers takes the engine for the one outside, which has another name.
  const local = LOOPBACK.includes(host) || (await docker.info()).Name === hostname();
  return { docker, address: addressOf(docker), host: local ? '127.0.0.1' : host, local };
}

function addressOf({ modem }: Engine['docker']): string {
  const { socketPath, host, port } = modem as { socketPath?: string; host?: string; port?: number | string };
  return socketPath ? `unix://${socketPath}` : `tcp://${host}:${port}`;
}

/** Where nothing answers at the socket that DOCKER_HOST names, testcontainers goes on to the usual one. */
function isAnother({ modem }: Engine['docker']): boolean {
  const { DOCKER_HOST = '' } = process.env;
  const { socketPath } = modem as { socketPath?: string };
  return DOCKER_HOST.startsWith('unix://') && socketPath !== DOCKER_HOST.slice('unix://'.length);
}

const explain = async () => whyNoEngine(process.env.DOCKER_HOST, await errorAt(SOCKET));

/**
 * Why there is none, and what to do about it: `engine start` is named only where it does not refuse (set-up/decide.ts).
 * `socketError`: of a connection to the usual socket; undefined: something took it.
 */
export function whyNoEngine(dockerHost: string | undefined, socketError: string | undefined): string {
  if (dockerHost)
    return `no container engine answers at DOCKER_HOST=${dockerHost}: start that one, unset DOCKER_HOST, or use STACK=local`;
  const remedy =
    'install Docker and start it (as root on Debian, `npm run containers -- engine start` does both), or use STACK=local';
  switch (socketError) {
    case undefined:
      return `what listens at ${SOCKET} cannot be used as a container engine: \`docker info\` says more; or use STACK=local`;
    case 'EACCES':
    case 'EPERM':
      return `this user may not use ${SOCKET}: add it to the group docker (and log in again), or use STACK=local`;
    case 'ECONNREFUSED':
      return `the container engine does not run (${SOCKET} is left of an earlier one): ${remedy}`;
    case 'ENOENT':
      return `there is no container engine (no ${SOCKET}): ${remedy}`;
    default:
      return `the container engine does not answer at ${SOCKET}: ${remedy}`;
  }
}

function errorAt(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
  });
}

/** Exit code of a process that a signal ended: this, plus the signal's number. */
const SIGNAL_BASE = 128;

/** Exit code of what SIGKILL ended. */
export const KILLED = SIGNAL_BASE + constants.signals.SIGKILL;

/** The signal that ended a container with this exit code, if one did. */
export function signalOf(exitCode: number): NodeJS.Signals | undefined {
  const signals = Object.entries(constants.signals) as [NodeJS.Signals, number][];
  return signals.find(([, number]) => number === exitCode - SIGNAL_BASE)?.[0];
}

/** The engine refused what was asked with one of these HTTP statuses. */
export function refusedWith(error: unknown, ...statuses: readonly number[]): boolean {
  const { statusCode } = error as { statusCode?: unknown };
  return typeof statusCode === 'number' && statuses.includes(statusCode);
}

export const STATUS = { notModified: 304, gone: 404, conflict: 409 } as const;

/** The engine says that a port is taken; it has no code for it. */
export const isPortTaken = (message: string) =>
  /already allocated|address already in use|ports are not available/i.test(message);

/** Waits for a removal. What is gone already, or is being removed by another process, is no error. */
export async function unlessGone(removal: Promise<unknown> | undefined): Promise<void> {
  try {
    await removal;
  } catch (error) {
    if (!refusedWith(error, STATUS.gone, STATUS.conflict)) throw error;
  }
}
