import {
  type AdminOptions,
  type Backoff,
  backoffMs,
  codeOf,
  type DependencyState,
  type Logger,
  pause,
  Registry,
  type RunningSink,
} from '@email-events/core';

const AGAIN: Backoff = { firstMs: 1_000, longestMs: 60_000 };
/** One that ran so long before it failed has not failed in a row. */
const LONG_MS = 300_000;

export interface KeptOptions {
  readonly log: Logger;
  readonly name: string | undefined;
  /** Pauses before it is started again. */
  readonly again?: Backoff | undefined;
}

/** For a CRM that hangs to be told from one that works before the admin port gives up on the answer. */
const CHECK_MS = 4_000;
const CHECKS = ['kafka', 'sink', 'registry', 'lanes'] as const;

/**
 * A consumer of one CRM, in a group of its own. If it cannot go on, because its group lacks a right or the broker lost its mind, it is started
 * again, ever more seldom, as the process would be if there were no other consumer in it.
 */
export abstract class KeptConsumer {
  /** Its metrics: those of a further CRM carry its name. */
  readonly registry = new Registry();
  /** Why it does not run now. */
  failure: string | undefined;
  protected readonly log: Logger;
  protected readonly stopped = new AbortController();
  protected running: RunningSink | undefined;
  private readonly name: string | undefined;
  private readonly again: Backoff;
  private failures = 0;
  private watching: Promise<void> = Promise.resolve();

  /** `name`: of the CRM, in logs and readiness. */
  constructor({ log, name, again = AGAIN }: KeptOptions) {
    this.name = name;
    this.again = again;
    this.log = name === undefined ? log : log.child({ crm: name });
  }

  /** Runs it once. */
  protected abstract run(): Promise<RunningSink>;

  /**
   * Starts it, or throws why it cannot; it is tried again in either case. `failed` is told whenever it ends by itself, and gives the code
   * of the error.
   */
  async start(failed: (error: unknown) => string): Promise<void> {
    const first = this.open();
    this.watching = this.watch(first, failed);
    await first;
  }

  /** Never throws. */
  async stop(): Promise<void> {
    this.stopped.abort();
    await this.running?.stop();
    await this.watching;
  }

  /**
   * By dependency. As long as another of `all` works, this one makes the service no more than degraded: nothing is gained by taking it out
   * of service, and the others would be with it.
   */
  readiness(all: readonly KeptConsumer[]): AdminOptions['readiness'] {
    const { name } = this;
    const others = all.filter((other) => other !== this);
    const states = CHECKS.map((check) => {
      const state = async (): Promise<DependencyState> => {
        const [problem, ...works] = await Promise.all([
          this.problemOf(check),
          ...others.map((other) => other.works()),
        ]);
        return problem !== undefined && works.includes(true) ? { degraded: problem } : problem;
      };
      return [name === undefined ? check : `${name}.${check}`, state] as const;
    });
    return Object.fromEntries(states);
  }

  /** By dependency, of one that is no reason to take the service out of service. */
  degradation(): AdminOptions['readiness'] {
    const states = CHECKS.map((check) => {
      const state = async (): Promise<DependencyState> => {
        const degraded = await this.problemOf(check);
        return degraded === undefined ? undefined : { degraded };
      };
      return [`${this.name}.${check}`, state] as const;
    });
    return Object.fromEntries(states);
  }

  private async works(): Promise<boolean> {
    const problems = await Promise.all(CHECKS.map((check) => this.problemOf(check)));
    return problems.every((problem) => problem === undefined);
  }

  private async problemOf(check: (typeof CHECKS)[number]): Promise<string | undefined> {
    if (this.running) {
      const late = pause(CHECK_MS, undefined, false).then(() => 'TIMEOUT');
      return Promise.race([this.running.readiness[check](), late]);
    }
    return check === 'kafka' ? (this.failure ?? 'KAFKA_NOT_JOINED') : undefined;
  }

  private async watch(first: Promise<RunningSink>, failed: (error: unknown) => string): Promise<void> {
    for (let opening = first; ; opening = this.open()) {
      const startedAt = performance.now();
      try {
        await (await opening).done;
        return;
      } catch (error) {
        if (this.stopped.signal.aborted) return;
        if (performance.now() - startedAt > LONG_MS) this.failures = 0;
        this.failure = codeOf(error);
        this.failures += 1;
        this.log.error({ code: failed(error), err: error }, 'a CRM’s consumer failed');
      }
      const broken = this.running;
      this.running = undefined;
      await broken?.stop();
      await pause(backoffMs(this.failures, this.again), this.stopped.signal);
      if (this.stopped.signal.aborted) return;
    }
  }

  private async open(): Promise<RunningSink> {
    // Of the run before, if it failed: what counts begins anew, as after a restart of the process.
    this.registry.clear();
    const running = await this.run();
    this.failure = undefined;
    this.running = running;
    if (this.stopped.signal.aborted) await running.stop();
    return running;
  }
}
