import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PipelineError } from '@email-events/core/errors';
import { homeFolder, REPOSITORY } from './home.ts';

export interface ServiceSpec {
  readonly name: string;
  /** Entry file; it says `{ready: true, ports}` over IPC when it takes work. */
  readonly script: string;
  readonly args: readonly string[];
  readonly nodeArgs?: readonly string[];
  readonly env?: { readonly [name: string]: string };
  readonly logFile: string;
}

export type ServiceState = 'stopped' | 'starting' | 'running' | 'restarting' | 'failed';

/** What happened to a service, for people. */
export type ServiceNews =
  | { readonly kind: 'restarting'; readonly name: string; readonly how: string; readonly inMs: number }
  | { readonly kind: 'running again'; readonly name: string }
  | { readonly kind: 'failed'; readonly name: string; readonly how: string };

export interface ServiceTimings {
  readonly startMs: number;
  readonly stopMs: number;
  /** First pause before a restart; doubled each time, up to maxPauseMs. */
  readonly pauseMs: number;
  readonly maxPauseMs: number;
  /** It is given up after this many ends … */
  readonly maxCrashes: number;
  /** … within this time. */
  readonly crashWindowMs: number;
}

const TIMINGS: ServiceTimings = {
  startMs: 60_000,
  // What the slowest of them takes at most (core/README.md, Stopping).
  stopMs: 30_000,
  pauseMs: 500,
  maxPauseMs: 10_000,
  maxCrashes: 5,
  crashWindowMs: 60_000,
};

/**
 * One service as a child process in a session of its own, so that Ctrl-C in the terminal reaches it only from here and
 * in order. It stops itself when the IPC channel closes, i.e. when this process is gone. One that ends by itself is
 * started again after a pause, until it does so too often.
 */
export class ServiceProcess {
  readonly spec: ServiceSpec;
  readonly #news: (news: ServiceNews) => void;
  readonly #timings: ServiceTimings;
  #child: ChildProcess | undefined;
  #state: ServiceState = 'stopped';
  #ports: { readonly [name: string]: number } = {};
  #crashes: number[] = [];
  #restarts = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(spec: ServiceSpec, news: (news: ServiceNews) => void = () => {}, timings = TIMINGS) {
    this.spec = spec;
    this.#news = news;
    this.#timings = timings;
  }

  get state(): ServiceState {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get ports(): { readonly [name: string]: number } {
    return this.#ports;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** Resolves when it takes work. Throws RUN_SERVICE_FAILED with the end of its log if it ends before. */
  async start(): Promise<void> {
    keepPreviousLog(this.spec.logFile);
    this.#state = 'starting';
    try {
      await this.#launch();
    } catch (error) {
      this.#state = 'failed';
      this.#child?.kill('SIGKILL');
      throw error;
    }
  }

  /** SIGTERM, and after its deadline SIGKILL. Resolves when it is gone. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#state = 'stopped';
    const child = this.#child;
    if (!child || hasEnded(child)) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGTERM');
    const force = setTimeout(() => child.kill('SIGKILL'), this.#timings.stopMs);
    await gone;
    clearTimeout(force);
  }

  /** SIGKILL: it is not started again. */
  kill(): void {
    clearTimeout(this.#timer);
    this.#state = 'stopped';
    this.#child?.kill('SIGKILL');
  }

  async #launch(): Promise<void> {
    const { script, args, nodeArgs = [], env = {}, logFile } = this.spec;
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
    this.#child = child;
    const ready = new Promise<{ ports: { [name: string]: number } }>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => reject(this.#failure(endOf(code, signal))));
      child.on('message', (message) => {
        if (isReady(message)) resolve(message);
      });
    });
    const { startMs } = this.#timings;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(this.#failure(`no sign of being ready after ${startMs} ms`)), startMs);
    });
    const { ports } = await Promise.race([ready, late]).finally(() => clearTimeout(timer));
    if (this.#state === 'stopped') return;
    this.#ports = ports;
    this.#state = 'running';
    child.once('exit', (code, signal) => this.#ended(endOf(code, signal)));
  }

  #ended(how: string): void {
    if (this.#state === 'stopped') return;
    const now = Date.now();
    this.#crashes = [...this.#crashes.filter((at) => now - at < this.#timings.crashWindowMs), now];
    if (this.#crashes.length >= this.#timings.maxCrashes) {
      this.#state = 'failed';
      this.#news({ kind: 'failed', name: this.spec.name, how: this.#failure(how).message });
      return;
    }
    this.#state = 'restarting';
    const { pauseMs, maxPauseMs } = this.#timings;
    const inMs = Math.min(pauseMs * 2 ** (this.#crashes.length - 1), maxPauseMs);
    this.#news({ kind: 'restarting', name: this.spec.name, how, inMs });
    this.#timer = setTimeout(() => this.#startAgain(), inMs);
  }

  async #startAgain(): Promise<void> {
    this.#restarts++;
    try {
      await this.#launch();
      if (this.#state === 'running') this.#news({ kind: 'running again', name: this.spec.name });
    } catch (error) {
      this.#child?.kill('SIGKILL');
      this.#ended((error as Error).message);
    }
  }

  #failure(how: string): PipelineError {
    const { name, logFile } = this.spec;
    const reason = lastReason(logFile);
    return new PipelineError(
      'RUN_SERVICE_FAILED',
      'fatal',
      `${name}: ${how}${reason ? `: ${reason}` : ''}; its log is ${logFile}`,
    );
  }
}

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null;
const endOf = (code: number | null, signal: NodeJS.Signals | null) =>
  signal ? `ended by ${signal}` : `ended with exit code ${code}`;

function isReady(message: unknown): message is { ready: true; ports: { [name: string]: number } } {
  return typeof message === 'object' && message !== null && (message as { ready?: unknown }).ready === true;
}

/** The log of this run begins anew; that of the last one stays beside it. */
function keepPreviousLog(file: string): void {
  mkdirSync(dirname(file), { recursive: true });
  if (existsSync(file)) renameSync(file, `${file}.1`);
}

/** The last thing it said before it ended: the message and code of its last fatal line, else its last line. */
function lastReason(file: string): string {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(-50);
  for (const line of lines.reverse()) {
    const entry = parsed(line);
    if (entry?.level !== 'fatal') continue;
    const problems = entry.problems?.map(({ path, message }) => `${path}: ${message}`).join('; ');
    return [entry.code, entry.msg, problems ?? entry.err?.message].filter(Boolean).join(' ');
  }
  return lines[0] ?? '';
}

interface FatalEntry {
  level?: string;
  code?: string;
  msg?: string;
  problems?: { path: string; message: string }[];
  err?: { message?: string };
}

function parsed(line: string): FatalEntry | undefined {
  try {
    return JSON.parse(line) as FatalEntry;
  } catch {
    return undefined;
  }
}
