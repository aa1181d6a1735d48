import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from '@email-events/cli/home';
import { type ServiceName as AnyServiceName, processOf } from '@email-events/dev/run/services';
import type { TestScope } from '../harness/stack.ts';

/** The receiver is a stand-in for a CRM, and nobody's to stop in order. */
export type ServiceName = Exclude<AnyServiceName, 'receiver'>;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface LaunchOptions {
  readonly service: ServiceName;
  readonly configFile: string;
  readonly logFile: string;
  readonly env?: { readonly [name: string]: string };
}

/** One service as it is deployed: a process that is told to stop by a signal, and no supervisor. */
export class GracefulProcess {
  /** Ports, when it takes work. Rejects if it ends before. */
  readonly ready: Promise<{ readonly [name: string]: number }>;
  readonly ended: Promise<Ended>;
  readonly logFile: string;
  readonly #child: ChildProcess;

  constructor({ service, configFile, logFile, env = {} }: LaunchOptions, scope: TestScope) {
    const log = openSync(logFile, 'a', 0o600);
    const child = spawn(
      process.execPath,
      [join(REPOSITORY, processOf(service).entry), '--config', configFile],
      {
        cwd: REPOSITORY,
        stdio: ['ignore', log, log, 'ipc'],
        env: { ...process.env, NODE_ENV: 'production', ...env },
      },
    );
    closeSync(log);
    this.logFile = logFile;
    this.#child = child;
    this.ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    this.ready = new Promise((resolve, reject) => {
      child.once('message', (message: { ports: { [name: string]: number } }) => resolve(message.ports));
      child.once('exit', (code, signal) =>
        reject(new Error(`${service} ended: ${code} ${signal}\n${lastLines(logFile)}`)),
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

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
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
}

const lastLines = (file: string) => readFileSync(file, 'utf8').trimEnd().split('\n').slice(-5).join('\n');
