import { launchProcess, type ServiceSpec } from '@email-events/dev/run/service-fleet';
import { SupervisedService } from '@email-events/dev/run/supervisor';

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
  readonly #process: SupervisedService;
  #spec: ServiceSpec;
  #next: ServiceSpec | undefined;
  #harmed = 0;

  /** @param next what it is from `upgrade` on */
  constructor(spec: ServiceSpec, onEnd: (how: string) => void, next?: ServiceSpec) {
    this.name = spec.name;
    this.#spec = spec;
    this.#next = next;
    this.#process = new SupervisedService(
      spec,
      { launch: async () => launchProcess(this.#spec), release: async () => {} },
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

  /** Whether it is still to become what it was made to become. */
  get isOfOldRelease(): boolean {
    return this.#next !== undefined;
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

  /** Ends it with this signal; what its supervisor starts then is the next release. */
  upgrade(signal: 'SIGKILL' | 'SIGTERM'): number | undefined {
    if (!this.isRunning || !this.#next) return undefined;
    this.#spec = this.#next;
    this.#next = undefined;
    return this.end(signal);
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
