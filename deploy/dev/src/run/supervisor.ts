import { existsSync, readFileSync } from 'node:fs';
import type { ServiceState } from '@email-events/cli/state-file';
import { PipelineError } from '@email-events/core/errors';
import { keepOldLogs } from '../stack/index.ts';

export type { ServiceState } from '@email-events/cli/state-file';

/** News of a service, for people. */
export type ServiceNews =
  | { readonly kind: 'restarting'; readonly name: string; readonly how: string; readonly inMs: number }
  | { readonly kind: 'running again'; readonly name: string }
  | { readonly kind: 'failed'; readonly name: string; readonly how: string };

export type ServicePorts = { readonly [name: string]: number };

/** One of our services under supervision: what ends by itself is started again after a pause. */
export interface Service {
  readonly name: string;
  readonly state: ServiceState;
  /** Undefined while it has none, and of a container. */
  readonly pid: number | undefined;
  /** Where it is reached from here, once it has run. */
  readonly ports: ServicePorts;
  readonly restarts: number;
  readonly logFile: string;
  /** Resolves when it takes work. Throws RUN_SERVICE_FAILED with the end of its log if it ends before. */
  start(): Promise<void>;
  /** SIGTERM, and after its deadline SIGKILL. Resolves when it is gone. May be called in any state. */
  stop(): Promise<void>;
  /** SIGKILL: it is not started again. `stop` afterwards waits for the end. */
  kill(): void;
  /** SIGKILL as from outside: it is started again. Does nothing while it does not run. */
  crash(): void;
}

/** One run of a service, from its launch to its end. */
export interface ServiceRun {
  readonly pid: number | undefined;
  /** Its ports, once it takes work. May stay pending when it ends before. */
  readonly ready: Promise<ServicePorts>;
  /** The last negative answer when it was asked whether it takes work; undefined: it is not asked. Used when the start times out. */
  problem?(): string | undefined;
  /** How it ended, once all it said is in its log. Never rejects. */
  readonly ended: Promise<string>;
  /** Does nothing when it has ended. */
  signal(name: 'SIGTERM' | 'SIGKILL'): void;
}

/** Runs a service as a process or as a container. */
export interface ServiceHost {
  /** Throws if it cannot even be started. */
  launch(): Promise<ServiceRun>;
  /** Gives back what is kept between runs. The last one has ended; may be called twice, and without any run. */
  release(): Promise<void>;
}

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

export const SERVICE_TIMINGS: ServiceTimings = {
  startMs: 60_000,
  // The longest time that any of them takes (core/README.md, Stopping).
  stopMs: 30_000,
  pauseMs: 500,
  maxPauseMs: 10_000,
  maxCrashes: 5,
  crashWindowMs: 60_000,
};

/** Starts a service, starts it again when it ends by itself, and gives it up when it ends too often. */
export class SupervisedService implements Service {
  readonly name: string;
  readonly logFile: string;
  readonly #host: ServiceHost;
  readonly #news: (news: ServiceNews) => void;
  readonly #timings: ServiceTimings;
  /** Of the newest run. Rejected if it could not be launched. */
  #launched: Promise<ServiceRun> | undefined;
  #run: ServiceRun | undefined;
  #state: ServiceState = 'stopped';
  #ports: ServicePorts = {};
  #crashes: number[] = [];
  #restarts = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    { name, logFile }: { readonly name: string; readonly logFile: string },
    host: ServiceHost,
    news: (news: ServiceNews) => void,
    timings: ServiceTimings,
  ) {
    this.name = name;
    this.logFile = logFile;
    this.#host = host;
    this.#news = news;
    this.#timings = timings;
  }

  get state(): ServiceState {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#run?.pid;
  }

  get ports(): ServicePorts {
    return this.#ports;
  }

  get restarts(): number {
    return this.#restarts;
  }

  async start(): Promise<void> {
    keepOldLogs(this.logFile);
    this.#state = 'starting';
    try {
      await this.#launch();
    } catch (error) {
      // Stopped meanwhile, it did not fail.
      if (this.#state === 'starting') this.#state = 'failed';
      throw error;
    }
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#state = 'stopped';
    const run = await this.#launched?.catch(() => undefined);
    if (run) {
      run.signal('SIGTERM');
      const force = setTimeout(() => run.signal('SIGKILL'), this.#timings.stopMs);
      await run.ended;
      clearTimeout(force);
    }
    await this.#host.release();
  }

  kill(): void {
    clearTimeout(this.#timer);
    this.#state = 'stopped';
    this.#run?.signal('SIGKILL');
  }

  crash(): void {
    if (this.#state === 'running') this.#run?.signal('SIGKILL');
  }

  /** Throws RUN_SERVICE_FAILED; what was launched is killed then. */
  async #launch(): Promise<void> {
    // One that was killed because it was not ready in time may still have what the next one needs.
    await this.#run?.ended;
    this.#throwIfStopped();
    this.#launched = this.#host.launch();
    let run: ServiceRun;
    try {
      run = await this.#launched;
    } catch (error) {
      throw this.#failure((error as Error).message);
    }
    this.#run = run;
    try {
      // While there was nothing to stop yet.
      this.#throwIfStopped();
      this.#ports = await this.#ready(run);
    } catch (error) {
      run.signal('SIGKILL');
      throw error;
    }
    if (this.#isStopped()) return;
    this.#state = 'running';
    run.ended.then((how) => this.#ended(how));
  }

  /** It may be, after each wait. */
  #isStopped(): boolean {
    return this.#state === 'stopped';
  }

  #throwIfStopped(): void {
    if (this.#isStopped()) throw this.#failure('stopped while it was starting');
  }

  async #ready(run: ServiceRun): Promise<ServicePorts> {
    const { startMs } = this.#timings;
    const { promise: failed, reject } = Promise.withResolvers<never>();
    const late = () => {
      const problem = run.problem?.();
      const asked = problem === undefined ? '' : ` (asked: ${problem})`;
      reject(this.#failure(`no sign of being ready after ${startMs} ms${asked}`));
    };
    const timer = setTimeout(late, startMs);
    run.ended.then((how) => reject(this.#failure(how)));
    try {
      return await Promise.race([run.ready, failed]);
    } finally {
      clearTimeout(timer);
    }
  }

  #ended(how: string): void {
    if (this.#state === 'stopped') return;
    const now = Date.now();
    this.#crashes = [...this.#crashes.filter((at) => now - at < this.#timings.crashWindowMs), now];
    if (this.#crashes.length >= this.#timings.maxCrashes) {
      this.#state = 'failed';
      this.#news({ kind: 'failed', name: this.name, how: this.#failure(how).message });
      return;
    }
    this.#state = 'restarting';
    const { pauseMs, maxPauseMs } = this.#timings;
    const inMs = Math.min(pauseMs * 2 ** (this.#crashes.length - 1), maxPauseMs);
    this.#news({ kind: 'restarting', name: this.name, how, inMs });
    this.#timer = setTimeout(() => this.#startAgain(), inMs);
  }

  async #startAgain(): Promise<void> {
    this.#restarts++;
    try {
      await this.#launch();
      if (this.#state === 'running') this.#news({ kind: 'running again', name: this.name });
    } catch (error) {
      this.#ended((error as Error).message);
    }
  }

  #failure(how: string): PipelineError {
    const reason = lastReason(this.logFile);
    return new PipelineError(
      'RUN_SERVICE_FAILED',
      'fatal',
      `${this.name}: ${how}${reason ? `: ${reason}` : ''}; its log is ${this.logFile}`,
    );
  }
}

/**
 * The last thing it said before it ended: the message and code of its last fatal line, else the error that Node says
 * was not caught, else its last line.
 */
export function lastReason(file: string): string {
  if (!existsSync(file)) return '';
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(-50);
  for (const line of lines.reverse()) {
    const entry = parsed(line);
    if (entry?.level !== 'fatal') continue;
    const problems = entry.problems?.map(({ path, message }) => `${path}: ${message}`).join('; ');
    return [entry.code, entry.msg, problems ?? entry.err?.message].filter(Boolean).join(' ');
  }
  return lines.find((line) => /^\w*Error\b/.test(line)) ?? lines[0] ?? '';
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
