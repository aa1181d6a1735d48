import { ServiceProcess, type ServiceSpec } from '@email-events/dev/run/service-fleet';

/** Started again at once, however often it ends: what an orchestrator does, without its patience. */
const TIMINGS = {
  startMs: 120_000,
  stopMs: 30_000,
  pauseMs: 50,
  maxPauseMs: 1_000,
  maxCrashes: Number.POSITIVE_INFINITY,
  crashWindowMs: 60_000,
};

/** A service that starts while what it needs is away ends after a minute of asking, so that its supervisor knows. */
const gaveUpWaiting = (how: string) => /\b(KAFKA|REGISTRY)_UNREACHABLE\b/.test(how);

/** One process of the pipeline under a supervisor, and ways to harm it. Signals go to the process that it has now. */
export class Instance {
  readonly name: string;
  readonly #process: ServiceProcess;
  #harmed = 0;

  constructor(spec: ServiceSpec, onEnd: (how: string) => void) {
    this.name = spec.name;
    this.#process = new ServiceProcess(
      spec,
      (news) => {
        if (news.kind !== 'restarting') return;
        // A process that was killed or stopped from here ends; one that ends by itself is news.
        if (this.#harmed === 0 && !gaveUpWaiting(news.how)) onEnd(news.how);
        this.#harmed = Math.max(0, this.#harmed - 1);
      },
      TIMINGS,
    );
  }

  /** Whether it takes work. */
  get isRunning(): boolean {
    return this.#process.state === 'running';
  }

  /** Undefined while it has none that it told. */
  get httpPort(): number | undefined {
    return this.isRunning ? this.#process.ports.http : undefined;
  }

  get adminPort(): number | undefined {
    return this.isRunning ? this.#process.ports.admin : undefined;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  start(): Promise<void> {
    return this.#process.start();
  }

  /** SIGTERM, for good. */
  stop(): Promise<void> {
    this.signal('SIGCONT');
    return this.#process.stop();
  }

  /** Ends it with this signal; its supervisor starts it again. Returns the process that is to end. */
  end(signal: 'SIGKILL' | 'SIGTERM'): number | undefined {
    const { pid } = this;
    if (!this.isRunning) return undefined;
    this.#harmed++;
    this.signal(signal);
    return pid;
  }

  signal(signal: NodeJS.Signals): void {
    const { pid } = this;
    if (pid === undefined) return;
    try {
      process.kill(pid, signal);
    } catch (error) {
      // It has ended by itself meanwhile, which its supervisor tells.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
