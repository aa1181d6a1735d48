import { join } from 'node:path';
import { type HomePaths, homeFolder, REPOSITORY } from '@email-events/cli/home';
import { type PipelineConfig, pipelineConfig } from '@email-events/cli/services';
import type { LocalCertificate } from '../certificates.ts';
import { spawnInSession } from '../stack/local/run-tool.ts';
import { type LocalConfigInput, localConfig, writeLocalConfig } from './local-config.ts';
import type { Reporter } from './reporter.ts';
import { processOf, type ServiceName } from './services.ts';
import {
  SERVICE_TIMINGS,
  type Service,
  type ServiceNews,
  type ServicePorts,
  type ServiceRun,
  type ServiceTimings,
  SupervisedService,
} from './supervisor.ts';

/** The services of one pipeline, none of them started yet. */
export interface ServiceFleet {
  /** As this machine sees the pipeline: for commands and for who prepares the components. Written to `configFile`. */
  readonly config: PipelineConfig;
  /** Where published ports are reached from here. */
  readonly host: string;
  /** Of ingress and receiver, where they serve HTTPS. */
  readonly certificate: LocalCertificate | undefined;
  create(name: ServiceName, news: (news: ServiceNews) => void): Service;
}

export interface FleetInput extends Omit<LocalConfigInput, 'crmSecretFile' | 'tls' | 'receiverHost'> {
  readonly crm: { readonly file: string; readonly secret: string };
}

/** Services as processes of this machine, on its loopback. */
export function processFleet(input: FleetInput): ServiceFleet {
  const { paths, ports, crm } = input;
  writeLocalConfig(paths.configFile, localConfig({ ...input, crmSecretFile: crm.file }));
  const settings = { paths, receiverPort: ports.receiver, crmSecret: crm.secret };
  return {
    config: pipelineConfig.load(paths.configFile),
    host: '127.0.0.1',
    certificate: undefined,
    create: (name, news) => new ServiceProcess(serviceSpec(name, settings), news),
  };
}

export interface ServiceSettings {
  readonly paths: HomePaths;
  readonly receiverPort: number;
  readonly crmSecret: string;
}

/** A service as a process of this machine. */
export function serviceSpec(name: ServiceName, settings: ServiceSettings): ServiceSpec {
  const { paths } = settings;
  const { entry, nodeArgs } = processOf(name);
  const base = {
    name,
    script: join(REPOSITORY, entry),
    nodeArgs,
    logFile: join(paths.logs, `${name}.log`),
  };
  if (name !== 'receiver') return { ...base, args: ['--config', paths.configFile] };
  return {
    ...base,
    args: ['--port', String(settings.receiverPort), '--data-dir', paths.receiver],
    // Not an argument: process lists show those.
    env: { EMAIL_EVENTS_RECEIVER_SECRETS: settings.crmSecret },
  };
}

export interface ServiceSpec {
  readonly name: string;
  /** Entry file; it says `{ready: true, ports}` over IPC when it takes work. */
  readonly script: string;
  readonly args: readonly string[];
  readonly nodeArgs?: readonly string[];
  readonly env?: { readonly [name: string]: string };
  readonly logFile: string;
  /** The Node that runs it; without, the one that runs this. */
  readonly node?: string;
  /** Where it runs; without, in this checkout. */
  readonly cwd?: string;
}

/**
 * One service as a child process in a new session, so that Ctrl-C in the terminal reaches it only through this process and
 * in order. It stops itself when the IPC channel closes, i.e. when this process is gone.
 */
export class ServiceProcess extends SupervisedService {
  constructor(
    spec: ServiceSpec,
    news: (news: ServiceNews) => void = () => {},
    timings: ServiceTimings = SERVICE_TIMINGS,
  ) {
    super(spec, { launch: async () => launchProcess(spec), release: async () => {} }, news, timings);
  }
}

/** One run of a service, for a supervisor that decides at each launch which process that is. */
export function launchProcess(spec: ServiceSpec): ServiceRun {
  const { script, args, nodeArgs = [], env = {}, logFile, node = process.execPath, cwd = REPOSITORY } = spec;
  const child = spawnInSession(node, [...nodeArgs, script, ...args], {
    cwd,
    // With the compiled code of earlier starts a service takes half the time to start.
    env: {
      NODE_COMPILE_CACHE: join(homeFolder(), 'cache'),
      ...process.env,
      NODE_ENV: 'production',
      ...env,
    },
    logFile,
    logMode: 0o600,
    channel: true,
  });
  return {
    pid: child.pid,
    ready: new Promise((resolve) => {
      child.on('message', (message) => {
        if (isReady(message)) resolve(message.ports);
      });
    }),
    ended: new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, signal) => resolve(endOf(code, signal)));
    }),
    signal: (name) => void child.kill(name),
  };
}

const endOf = (code: number | null, signal: NodeJS.Signals | null) =>
  signal ? `ended by ${signal}` : `ended with exit code ${code}`;

function isReady(message: unknown): message is { ready: true; ports: ServicePorts } {
  return typeof message === 'object' && message !== null && (message as { ready?: unknown }).ready === true;
}

/**
 * Stops one service after the other. If one cannot be stopped, say because the engine of its container is gone, the others are
 * stopped all the same. Never rejects.
 */
export async function stopServices(
  services: Iterable<readonly [string, Pick<Service, 'state' | 'stop'>]>,
  reporter: Pick<Reporter, 'step' | 'warn'>,
): Promise<void> {
  for (const [name, service] of services) {
    // One that was killed has still to be gone before what it uses.
    const stop = () => service.stop();
    const stopping = service.state === 'stopped' ? stop() : reporter.step(name, 'stop', stop);
    await stopping.catch((error) => reporter.warn(`${name} could not be stopped: ${error.message}`));
  }
}
