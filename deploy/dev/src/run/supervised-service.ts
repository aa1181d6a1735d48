import { PipelineError } from '@email-events/core/errors';
import type {
  Service,
  ServiceHost,
  ServiceNews,
  ServicePorts,
  ServiceRun,
  ServiceState,
  ServiceTimings,
} from './service.ts';
import { keepPreviousLog, lastReason } from './service-log.ts';

/** Supervision, which is the same whatever a service runs in. One that ends too often is given up. */
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
    keepPreviousLog(this.logFile);
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
