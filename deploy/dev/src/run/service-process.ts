import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { homeFolder, REPOSITORY } from '@email-events/cli/home';
import {
  SERVICE_TIMINGS,
  type ServiceNews,
  type ServicePorts,
  type ServiceRun,
  type ServiceTimings,
} from './service.ts';
import { SupervisedService } from './supervised-service.ts';

export interface ServiceSpec {
  readonly name: string;
  /** Entry file; it says `{ready: true, ports}` over IPC when it takes work. */
  readonly script: string;
  readonly args: readonly string[];
  readonly nodeArgs?: readonly string[];
  readonly env?: { readonly [name: string]: string };
  readonly logFile: string;
}

/**
 * One service as a child process in a session of its own, so that Ctrl-C in the terminal reaches it only from here and
 * in order. It stops itself when the IPC channel closes, i.e. when this process is gone.
 */
export class ServiceProcess extends SupervisedService {
  constructor(
    spec: ServiceSpec,
    news: (news: ServiceNews) => void = () => {},
    timings: ServiceTimings = SERVICE_TIMINGS,
  ) {
    super(spec, { launch: async () => launch(spec), release: async () => {} }, news, timings);
  }
}

function launch({ script, args, nodeArgs = [], env = {}, logFile }: ServiceSpec): ServiceRun {
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(process.execPath, [...nodeArgs, script, ...args], {
    cwd: REPOSITORY,
    stdio: ['ignore', log, log, 'ipc'],
    detached: true,
    // With the compiled code of earlier starts a service takes half the time to start.
    env: {
      NODE_COMPILE_CACHE: join(homeFolder(), 'cache'),
      ...process.env,
      NODE_ENV: 'production',
      ...env,
    },
  });
  closeSync(log);
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
