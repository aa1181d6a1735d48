import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { StackError } from '../errors.ts';
import { keepOldLogs } from '../old-logs.ts';
import type { ComponentExit, ComponentName } from '../stack.ts';
import { SupervisedComponent } from '../supervised-component.ts';
import type { ProcessWatchdog } from '../watchdog.ts';
import { spawnInSession, type User } from './run-tool.ts';

const PROBE_INTERVAL_MS = 50;
const LOG_ROTATE_BYTES = 20 * 1024 * 1024;
const LOG_TAIL_LINES = 25;

export interface ProcessSpec<N extends string = ComponentName> {
  readonly name: N;
  readonly file: string;
  /** Called for each start. */
  args(): readonly string[];
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Whose process it is; by default that of this one. */
  readonly user?: User | undefined;
  readonly logFile: string;
  /** Whether it answers a real request now. Called again and again until it does. */
  answers(): Promise<boolean>;
  readonly startDeadlineMs: number;
  /** How long it may take to end after SIGTERM before it is killed. */
  readonly stopDeadlineMs: number;
  /** Called with each SIGTERM. The answer says whether waiting any longer leads to nothing, so that it is killed then. */
  ending?(): () => Promise<boolean>;
  /** Called after each end; `inOrder` if it was not killed. */
  ended?(inOrder: boolean): void;
}

/** A component of the stack as a child process. */
export class ProcessComponent<N extends string = ComponentName> extends SupervisedComponent<N> {
  readonly logFile: string;
  readonly #spec: ProcessSpec<N>;
  readonly #watchdog: ProcessWatchdog;
  #child: ChildProcess | null = null;

  constructor(spec: ProcessSpec<N>, watchdog: ProcessWatchdog) {
    super(spec.name);
    this.logFile = spec.logFile;
    this.#spec = spec;
    this.#watchdog = watchdog;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async start(signal?: AbortSignal): Promise<void> {
    this.requireState('stopped');
    const child = this.#spawn();
    this.begins();
    try {
      await this.#ready(child, signal);
      this.runs();
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  protected async terminate(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    const exited = once(child, 'exit');
    // A frozen process gets SIGTERM when it is woken.
    child.kill('SIGTERM');
    child.kill('SIGCONT');
    const deadline = performance.now() + this.#spec.stopDeadlineMs;
    const pointless = this.#spec.ending?.();
    await this.waitForEnd(
      exited,
      async () => performance.now() > deadline || (await pointless?.()) === true,
      () => child.kill('SIGKILL'),
    );
  }

  protected async destroy(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  protected async freeze(): Promise<void> {
    this.#child?.kill('SIGSTOP');
  }

  protected async wake(): Promise<void> {
    this.#child?.kill('SIGCONT');
  }

  /** Signals reach a frozen process as well. */
  protected async wakeToEnd(): Promise<void> {}

  #spawn(): ChildProcess {
    const { file, cwd, env = process.env, user } = this.#spec;
    rotate(this.logFile);
    const child = spawnInSession(file, this.#spec.args(), { cwd, env, user, logFile: this.logFile });
    this.#child = child;
    child.once('error', () => this.#ended(child, { code: null, signal: null }));
    child.once('exit', (code, signal) => this.#ended(child, { code, signal }));
    if (child.pid !== undefined) this.#watchdog.watch(child.pid);
    return child;
  }

  #ended(child: ChildProcess, exit: ComponentExit): void {
    if (this.#child !== child) return;
    if (child.pid !== undefined) this.#watchdog.forget(child.pid);
    this.#child = null;
    this.#spec.ended?.(exit.signal !== 'SIGKILL');
    this.hasEnded(exit);
  }

  async #ready(child: ChildProcess, signal?: AbortSignal): Promise<void> {
    const deadline = performance.now() + this.#spec.startDeadlineMs;
    while (this.#child === child) {
      if (signal?.aborted) throw new StackError('STACK_ABORTED', `${this.name}: the start was called off`);
      if (performance.now() > deadline) throw this.#failure('STACK_COMPONENT_TIMEOUT', 'does not answer');
      if (await this.#spec.answers()) return;
      await delay(PROBE_INTERVAL_MS);
    }
    throw this.#failure('STACK_COMPONENT_DIED', 'ended while it was starting');
  }

  #failure(code: 'STACK_COMPONENT_DIED' | 'STACK_COMPONENT_TIMEOUT', what: string): StackError {
    return new StackError(code, `${this.name} ${what}; ${this.logFile} ends with:\n${tail(this.logFile)}`);
  }
}

function rotate(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LOG_ROTATE_BYTES) keepOldLogs(path);
}

function tail(path: string): string {
  return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
}
