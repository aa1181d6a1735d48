import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ComponentBase } from '../component-base.ts';
import { StackError } from '../errors.ts';
import type { Component, ComponentExit, ComponentName } from '../stack.ts';
import type { Watchdog } from './watch.ts';

const PROBE_INTERVAL_MS = 50;
const LOG_ROTATE_BYTES = 20 * 1024 * 1024;
const LOG_TAIL_LINES = 25;

export interface ProcessSpec {
  readonly name: ComponentName;
  readonly file: string;
  /** Asked anew for each start. */
  args(): readonly string[];
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly logFile: string;
  /** Whether it answers a real request now. Asked again and again until it does. */
  answers(): Promise<boolean>;
  readonly startDeadlineMs: number;
  /** How long it may take to end after SIGTERM before it is killed. */
  readonly stopDeadlineMs: number;
  /** Called with each SIGTERM. The answer says whether waiting any longer leads to nothing, so that it is killed then. */
  ending?(): () => Promise<boolean>;
  /** Called after each end; `inOrder` if it was not killed. */
  ended?(inOrder: boolean): void;
}

/** A component as a child process in a session of its own, so that no Ctrl-C but only its owner ends it. */
export class ManagedProcess extends ComponentBase {
  readonly logFile: string;
  readonly #spec: ProcessSpec;
  readonly #watchdog: Watchdog;
  #child: ChildProcess | null = null;
  #state: Component['state'] = 'stopped';
  #asked = false;

  constructor(spec: ProcessSpec, watchdog: Watchdog) {
    super(spec.name);
    this.logFile = spec.logFile;
    this.#spec = spec;
    this.#watchdog = watchdog;
  }

  get state(): Component['state'] {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async start(signal?: AbortSignal): Promise<void> {
    if (this.#child)
      throw new StackError('STACK_COMPONENT_STATE', `${this.name} cannot be started: it is ${this.#state}`);
    const child = this.#spawn();
    this.#state = 'starting';
    try {
      await this.#ready(child, signal);
      this.#state = 'running';
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    this.#asked = true;
    const exited = once(child, 'exit');
    // SIGTERM is delivered to a frozen process when it is woken.
    child.kill('SIGTERM');
    child.kill('SIGCONT');
    if (this.#state === 'paused') this.#state = 'running';
    const deadline = performance.now() + this.#spec.stopDeadlineMs;
    const inVain = this.#spec.ending?.();
    await this.waitForEnd(
      exited,
      async () => performance.now() > deadline || (await inVain?.()) === true,
      () => child.kill('SIGKILL'),
    );
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    this.#asked = true;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  async pause(): Promise<void> {
    this.#signal('SIGSTOP', 'running', 'paused');
  }

  async resume(): Promise<void> {
    this.#signal('SIGCONT', 'paused', 'running');
  }

  #spawn(): ChildProcess {
    const { file, cwd, env } = this.#spec;
    const log = openLog(this.logFile);
    const child = spawn(file, this.#spec.args(), {
      cwd,
      env: env ?? process.env,
      stdio: ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
    this.#child = child;
    this.#asked = false;
    child.once('error', () => this.#ended(child, { code: null, signal: null }));
    child.once('exit', (code, signal) => this.#ended(child, { code, signal }));
    if (child.pid !== undefined) this.#watchdog.watch(child.pid);
    return child;
  }

  #ended(child: ChildProcess, exit: ComponentExit): void {
    if (this.#child !== child) return;
    if (child.pid !== undefined) this.#watchdog.forget(child.pid);
    this.#child = null;
    this.#state = 'stopped';
    this.#spec.ended?.(exit.signal !== 'SIGKILL');
    if (!this.#asked) this.endedByItself(exit);
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

  #signal(signal: NodeJS.Signals, from: Component['state'], to: Component['state']): void {
    if (!this.#child || this.#state !== from)
      throw new StackError('STACK_COMPONENT_STATE', `${this.name} is ${this.#state}, not ${from}`);
    this.#child.kill(signal);
    this.#state = to;
  }

  #failure(code: 'STACK_COMPONENT_DIED' | 'STACK_COMPONENT_TIMEOUT', what: string): StackError {
    return new StackError(code, `${this.name} ${what}; ${this.logFile} ends with:\n${tail(this.logFile)}`);
  }
}

function openLog(path: string): number {
  mkdirSync(dirname(path), { recursive: true });
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LOG_ROTATE_BYTES) renameSync(path, `${path}.1`);
  return openSync(path, 'a');
}

function tail(path: string): string {
  return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
}
