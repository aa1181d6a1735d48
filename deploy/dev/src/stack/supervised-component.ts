import { setTimeout as delay } from 'node:timers/promises';
import { StackError } from './errors.ts';
import type { Component, ComponentExit, ComponentName } from './stack.ts';

const INTERVAL_MS = 50;

/**
 * A component under supervision: the states that it goes through, what may be asked of it in each, and who is told when
 * it ends by itself. The two subclasses are the transports: they start, end and freeze a process or a container.
 */
export abstract class SupervisedComponent<N extends string = ComponentName> implements Component<N> {
  readonly name: N;
  readonly #listeners = new Set<(exit: ComponentExit) => void>();
  #state: Component['state'] = 'stopped';
  /** Its end was asked for. */
  #asked = false;

  protected constructor(name: N) {
    this.name = name;
  }

  get state(): Component['state'] {
    return this.#state;
  }

  abstract get pid(): number | undefined;
  abstract get logFile(): string;
  abstract start(signal?: AbortSignal): Promise<void>;

  /** SIGTERM, and SIGKILL after the deadline. Resolves when it is gone. */
  protected abstract terminate(): Promise<void>;
  /** SIGKILL. Resolves when it is gone. */
  protected abstract destroy(): Promise<void>;
  protected abstract freeze(): Promise<void>;
  protected abstract wake(): Promise<void>;
  /** Called before a frozen one is ended, where the transport ends only what runs. */
  protected abstract wakeToEnd(): Promise<void>;

  stop(): Promise<void> {
    return this.#end(() => this.terminate());
  }

  kill(): Promise<void> {
    return this.#end(() => this.destroy());
  }

  async pause(): Promise<void> {
    this.requireState('running');
    await this.freeze();
    this.#state = 'paused';
  }

  async resume(): Promise<void> {
    this.requireState('paused');
    await this.wake();
    this.#state = 'running';
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  onExit(callback: (exit: ComponentExit) => void): () => void {
    this.#listeners.add(callback);
    return () => this.#listeners.delete(callback);
  }

  /** @throws StackError STACK_COMPONENT_STATE */
  protected requireState(state: Component['state']): void {
    if (this.#state === state) return;
    throw new StackError('STACK_COMPONENT_STATE', `${this.name} is ${this.#state}, not ${state}`);
  }

  protected begins(): void {
    this.#state = 'starting';
    this.#asked = false;
  }

  protected runs(): void {
    this.#state = 'running';
  }

  /** From now on an end is no surprise. */
  protected endIsAsked(): void {
    this.#asked = true;
  }

  /** Called at its end. Listeners hear of an end that was not asked for; while it starts, `start` rejects instead. */
  protected hasEnded(exit: ComponentExit): void {
    const byItself = !this.#asked && this.#state !== 'starting';
    this.#state = 'stopped';
    if (byItself) for (const listener of this.#listeners) listener(exit);
  }

  /** Waits for an end that was asked for, and kills it once waiting is `pointless`. */
  protected async waitForEnd(
    ended: Promise<unknown>,
    pointless: () => Promise<boolean>,
    kill: () => void,
  ): Promise<void> {
    let waiting = true;
    const watch = async () => {
      for (; waiting; await delay(INTERVAL_MS, undefined, { ref: false })) if (await pointless()) kill();
    };
    // Not awaited: its question may go to something that is gone by now, and get no answer.
    void watch();
    try {
      await ended;
    } finally {
      waiting = false;
    }
  }

  async #end(how: () => Promise<void>): Promise<void> {
    if (this.#state === 'stopped') return;
    this.#asked = true;
    if (this.#state === 'paused') {
      await this.wakeToEnd();
      this.#state = 'running';
    }
    await how();
  }
}
