import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { StackError } from '../errors.ts';
import type { ComponentExit } from '../stack.ts';
import { SupervisedComponent } from '../supervised-component.ts';
import { ContainerLog } from './container-log.ts';
import type { Engine } from './engine.ts';
import { KILLED, refusedWith, STATUS, signalOf } from './engine.ts';
import type { ContainerSpec } from './specs.ts';
import { explainStart, timedOut } from './start-failure.ts';

const PROBE_INTERVAL_MS = 100;

type Container = ReturnType<Engine['docker']['getContainer']>;

/** Called by the maker of a container: each step before it goes on. */
export interface MakingSteps {
  created(id: string): Promise<void>;
  started(id: string): Promise<void>;
  ready(): Promise<void>;
}

/** A component of the stack as a container, which keeps its ports and data over stop and start. */
export class ContainerComponent extends SupervisedComponent {
  readonly #spec: ContainerSpec;
  readonly #engine: Engine;
  readonly #log: ContainerLog;
  #container: Container | undefined;
  #pid: number | undefined;
  #exitCode: number | undefined;
  #gaveUp: StackError | undefined;
  /** Counts the starts, so that a late word about an earlier one is not taken for this one's. */
  #run = 0;
  readonly #released = new AbortController();
  #ended = Promise.withResolvers<void>();

  constructor(spec: ContainerSpec, engine: Engine, logFile: string) {
    super(spec.name);
    this.#spec = spec;
    this.#engine = engine;
    this.#log = new ContainerLog(engine.docker, logFile);
  }

  get pid(): number | undefined {
    return this.#pid;
  }

  get logFile(): string {
    return this.#log.file;
  }

  /**
   * The first start: `make` makes the container and starts it. Throws a StackError; what there is of the container then
   * is for the caller to remove.
   */
  async create(make: (steps: MakingSteps) => Promise<void>, signal: AbortSignal): Promise<void> {
    await this.#starting(signal, () =>
      make({
        created: async (id) => {
          this.#container = this.#engine.docker.getContainer(id);
          this.#watch(this.#container);
        },
        started: async () => this.#log.follow(this.#need()),
        ready: () => this.#ready(signal),
      }),
    );
  }

  /** Takes over a container that runs already. False if it does not answer. */
  async adopt(id: string): Promise<boolean> {
    if (!(await this.#spec.answers())) return false;
    this.#container = this.#engine.docker.getContainer(id);
    this.#watch(this.#container);
    await this.#log.follow(this.#container, new Date());
    await this.#running();
    return true;
  }

  /** Leaves it running, and from now on to itself. */
  release(): void {
    this.endIsAsked();
    this.#released.abort();
    this.#log.release();
  }

  async start(signal?: AbortSignal): Promise<void> {
    this.requireState('stopped');
    const container = this.#need();
    try {
      await this.#starting(signal, async () => {
        this.#watch(container);
        const begin = new Date();
        await container.start();
        await this.#log.follow(container, begin);
        await this.#ready(signal);
      });
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  protected terminate(): Promise<void> {
    return this.#end(async (container) => {
      const pointless = this.#spec.ending?.();
      const stopped = container.stop({ t: Math.ceil(this.#spec.stopDeadlineMs / 1_000) });
      await this.waitForEnd(
        stopped,
        async () => (await pointless?.()) === true,
        () => void container.kill({ signal: 'SIGKILL' }).catch(() => {}),
      );
    });
  }

  protected destroy(): Promise<void> {
    return this.#end((container) => container.kill({ signal: 'SIGKILL' }));
  }

  protected async freeze(): Promise<void> {
    await this.#need().pause();
  }

  protected async wake(): Promise<void> {
    await this.#need().unpause();
  }

  /** A frozen container takes no signal. */
  protected async wakeToEnd(): Promise<void> {
    await this.wake().catch(unlessEnded);
  }

  /** Around a start, which is over as soon as the container ends. */
  async #starting(signal: AbortSignal | undefined, start: () => Promise<void>): Promise<void> {
    this.begins();
    this.#run++;
    this.#exitCode = undefined;
    this.#gaveUp = undefined;
    this.#ended = Promise.withResolvers();
    const started = start();
    // If the container ends first, the result of the start is not used any more.
    started.catch(() => {});
    try {
      await Promise.race([started, this.#ended.promise]);
      if (this.#exitCode !== undefined) throw new Error(`ended with exit code ${this.#exitCode}`);
      await this.#running();
    } catch (error) {
      throw await this.#explained(error, signal);
    }
  }

  async #explained(error: unknown, signal: AbortSignal | undefined): Promise<StackError> {
    // One that ends at once may be gone before its log is followed; that of one that still runs has no end.
    if (this.#exitCode !== undefined && this.#container) {
      await this.#log.follow(this.#container).catch(() => {});
      await this.#log.copied();
    }
    const aborted = signal?.aborted === true;
    const { file: logFile } = this.#log;
    const failure = {
      error: this.#gaveUp ?? error,
      aborted,
      exitCode: this.#exitCode,
      logFile,
      logTail: this.#log.tail(),
    };
    return explainStart(this.#spec, failure);
  }

  async #ready(signal: AbortSignal | undefined): Promise<void> {
    const deadline = performance.now() + this.#spec.startDeadlineMs;
    while (!(await this.#spec.answers())) {
      signal?.throwIfAborted();
      const { State } = await this.#need().inspect();
      if (!State.Running) this.#over(State.ExitCode);
      if (this.state === 'stopped') return;
      if (performance.now() > deadline) {
        // The caller then removes the container, and that must not look as if it had ended by itself.
        this.#gaveUp = timedOut(this.#spec, this.#log.file, this.#log.tail());
        throw this.#gaveUp;
      }
      await delay(PROBE_INTERVAL_MS);
    }
  }

  async #running(): Promise<void> {
    const { Id, State } = await this.#need().inspect();
    this.runs();
    // Behind a virtual machine the engine's process ids are not ours.
    this.#pid = this.#engine.local && isContainersProcess(State.Pid, Id) ? State.Pid : undefined;
  }

  /** Before its start, so that no end is missed. */
  #watch(container: Container): void {
    const run = this.#run;
    const over = (exitCode: number) => {
      if (run === this.#run) this.#over(exitCode);
    };
    container.wait({ condition: 'next-exit', abortSignal: this.#released.signal }).then(
      ({ StatusCode }) => over(StatusCode),
      // The engine is gone, or another process removed the container.
      () => over(KILLED),
    );
  }

  #over(exitCode: number): void {
    if (this.state === 'stopped') return;
    this.#exitCode = exitCode;
    this.#pid = undefined;
    this.#ended.resolve();
    this.hasEnded(exitOf(exitCode));
  }

  async #end(how: (container: Container) => Promise<unknown>): Promise<void> {
    if (!this.#container) return;
    await how(this.#container).catch((error) => {
      unlessEnded(error);
      this.#over(KILLED);
    });
    await this.#ended.promise;
    await this.#log.copied();
  }

  #need(): Container {
    if (this.#container) return this.#container;
    throw new StackError('STACK_COMPONENT_STATE', `${this.name} is ${this.state}: it has no container`);
  }
}

/** It is stopped, removed, not running any more, or was woken already. */
function unlessEnded(error: unknown): void {
  if (!refusedWith(error, STATUS.notModified, STATUS.gone, STATUS.conflict)) throw error;
}

function exitOf(code: number): ComponentExit {
  const signal = signalOf(code);
  return signal ? { code: null, signal } : { code, signal: null };
}

function isContainersProcess(pid: number, id: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(id);
  } catch {
    return false;
  }
}
