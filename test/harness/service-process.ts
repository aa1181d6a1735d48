import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { REPOSITORY } from '@email-events/cli/home';
import { type ServiceName as AnyServiceName, processOf } from '@email-events/dev/run/services';
import type { TestScope } from './stack.ts';

/** The receiver stands in for a CRM and is no service of the pipeline. */
export type ServiceName = Exclude<AnyServiceName, 'receiver'>;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Readiness {
  readonly status: number;
  /** By dependency: `ok`, or the code of what is wrong. */
  readonly dependencies: { readonly [name: string]: string };
}

export interface LaunchOptions {
  readonly service: ServiceName;
  readonly configFile: string;
  readonly logFile: string;
  readonly env?: { readonly [name: string]: string } | undefined;
  /** Largest size of a file it may write; undefined: no limit. */
  readonly fileBytes?: number | undefined;
}

/** One service as it is deployed: a process that is told to stop by a signal, without a supervisor. Killed at the end of the scope. */
export class LaunchedService {
  /** Ports, when it takes work. Rejects if it ends before. */
  readonly ready: Promise<{ readonly [name: string]: number }>;
  readonly ended: Promise<Ended>;
  readonly logFile: string;
  readonly #child: ChildProcess;

  constructor({ service, configFile, logFile, env = {}, fileBytes }: LaunchOptions, scope: TestScope) {
    const node = [process.execPath, join(REPOSITORY, processOf(service).entry), '--config', configFile];
    const limit = fileBytes === undefined ? [] : ['prlimit', `--fsize=${fileBytes}:unlimited`];
    const [program = '', ...args] = [...limit, ...node];
    const log = openSync(logFile, 'a', 0o600);
    const child = spawn(program, args, {
      cwd: REPOSITORY,
      stdio: ['ignore', log, log, 'ipc'],
      env: { ...process.env, NODE_ENV: 'production', ...env },
    });
    closeSync(log);
    this.logFile = logFile;
    this.#child = child;
    this.ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    this.ready = new Promise((resolve, reject) => {
      child.once('message', (message: { ports: { [name: string]: number } }) => resolve(message.ports));
      child.once('exit', (code, signal) =>
        reject(
          new Error(`${service} ended: ${code} ${signal}\n${this.log().split('\n').slice(-6).join('\n')}`),
        ),
      );
    });
    this.ready.catch(() => {});
    scope.onTestFinished(async () => {
      child.kill('SIGKILL');
      await this.ended;
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** All that it has written so far, one entry a line. */
  log(): string {
    return readFileSync(this.logFile, 'utf8');
  }

  async readiness(): Promise<Readiness> {
    const response = await fetch(`http://127.0.0.1:${await this.#adminPort()}/readyz`);
    const { dependencies } = (await response.json()) as Pick<Readiness, 'dependencies'>;
    return { status: response.status, dependencies };
  }

  /** In Prometheus's text format. */
  async metrics(): Promise<string> {
    return (await fetch(`http://127.0.0.1:${await this.#adminPort()}/metrics`)).text();
  }

  /** Sum of the samples whose line matches. */
  async metric(line: RegExp): Promise<number> {
    const samples = (await this.metrics()).split('\n').filter((sample) => line.test(sample));
    return samples.reduce((sum, sample) => sum + Number(sample.slice(sample.lastIndexOf(' '))), 0);
  }

  /** From now on; undefined: no limit. */
  async limitFiles(bytes: number | undefined): Promise<void> {
    const soft = bytes === undefined ? 'unlimited' : String(bytes);
    await promisify(execFile)('prlimit', ['--pid', String(this.pid), `--fsize=${soft}:unlimited`]);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** SIGTERM, if it has not ended already. */
  async stop(): Promise<void> {
    if (this.isRunning) this.signal('SIGTERM');
    await this.ended;
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended;
  }

  /** SIGTERM. Resolves with its end and the time that took; after the deadline it is killed, which the end says. */
  async terminate(deadlineMs: number): Promise<Ended & { readonly ms: number }> {
    const started = performance.now();
    this.signal('SIGTERM');
    const force = setTimeout(() => this.signal('SIGKILL'), deadlineMs);
    const ended = await this.ended;
    clearTimeout(force);
    return { ...ended, ms: Math.round(performance.now() - started) };
  }

  async #adminPort(): Promise<number> {
    return (await this.ready).admin ?? 0;
  }
}
