import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { REPOSITORY } from '@email-events/cli/home';
import { type ServiceName as AnyServiceName, serviceOf } from '@email-events/cli/services';

export type ServiceName = Exclude<AnyServiceName, 'ingress' | 'sink-crm'>;

export interface Readiness {
  readonly status: number;
  /** By dependency: `ok`, or the code of what is wrong. */
  readonly dependencies: { readonly [name: string]: string };
}

/** A service as a process of its own, as an operator sees it. */
export interface Service {
  readonly pid: number;
  /** Resolves when it takes work. */
  readonly started: Promise<void>;
  readonly exited: Promise<number | null>;
  /** Its log so far, one entry a line. */
  log(): string;
  ready(): Promise<Readiness>;
  /** Sum of the samples whose line matches. */
  metric(line: RegExp): Promise<number>;
  /** Largest size of a file it may write from now on; undefined: no limit. */
  limitFiles(bytes: number | undefined): Promise<void>;
  stop(): Promise<void>;
}

export function startService(name: ServiceName, configFile: string, fileBytes?: number): Service {
  const main = [join(REPOSITORY, serviceOf(name).entry), '--config', configFile];
  const limited = ['prlimit', `--fsize=${fileBytes}:unlimited`, process.execPath, ...main];
  const [file = '', ...args] = fileBytes === undefined ? [process.execPath, ...main] : limited;
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  return new ServiceUnderTest(child);
}

class ServiceUnderTest implements Service {
  readonly started: Promise<void>;
  readonly exited: Promise<number | null>;
  readonly #child: ChildProcess;
  #log = '';
  #port = 0;

  constructor(child: ChildProcess) {
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#log += chunk;
      });
    }
    this.exited = new Promise((resolve) => child.once('exit', resolve));
    const started = Promise.withResolvers<void>();
    child.once('message', (message: { ports: { admin: number } }) => {
      this.#port = message.ports.admin;
      started.resolve();
    });
    void this.exited.then((code) => started.reject(new Error(`ended with ${code}: ${this.#log}`)));
    started.promise.catch(() => {});
    this.started = started.promise;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  log(): string {
    return this.#log;
  }

  async ready(): Promise<Readiness> {
    const response = await fetch(`http://127.0.0.1:${this.#port}/readyz`);
    const { dependencies } = (await response.json()) as Pick<Readiness, 'dependencies'>;
    return { status: response.status, dependencies };
  }

  async metric(line: RegExp): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.#port}/metrics`)).text();
    const samples = text.split('\n').filter((sample) => line.test(sample));
    return samples.reduce((sum, sample) => sum + Number(sample.slice(sample.lastIndexOf(' '))), 0);
  }

  async limitFiles(bytes: number | undefined): Promise<void> {
    const soft = bytes === undefined ? 'unlimited' : String(bytes);
    await promisify(execFile)('prlimit', ['--pid', String(this.pid), `--fsize=${soft}:unlimited`]);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGTERM');
    await this.exited;
  }
}
