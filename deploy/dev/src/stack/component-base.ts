import { setTimeout as delay } from 'node:timers/promises';
import type { Component, ComponentExit, ComponentName } from './stack.ts';

const INTERVAL_MS = 50;

/** What components have in common, whether they are processes or containers. */
export abstract class ComponentBase implements Component {
  readonly name: ComponentName;
  readonly #listeners = new Set<(exit: ComponentExit) => void>();

  protected constructor(name: ComponentName) {
    this.name = name;
  }

  abstract get state(): Component['state'];
  abstract get pid(): number | undefined;
  abstract get logFile(): string;
  abstract start(): Promise<void>;
  abstract stop(): Promise<void>;
  abstract kill(): Promise<void>;
  abstract pause(): Promise<void>;
  abstract resume(): Promise<void>;

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  onExit(callback: (exit: ComponentExit) => void): () => void {
    this.#listeners.add(callback);
    return () => this.#listeners.delete(callback);
  }

  /** Waits for an end that was asked for, and kills what is waited for in vain. */
  protected async waitForEnd(
    ended: Promise<unknown>,
    inVain: () => Promise<boolean>,
    kill: () => void,
  ): Promise<void> {
    let waiting = true;
    const watch = async () => {
      for (; waiting; await delay(INTERVAL_MS, undefined, { ref: false })) if (await inVain()) kill();
    };
    // Not waited for: it may be asking something that is gone by now.
    void watch();
    try {
      await ended;
    } finally {
      waiting = false;
    }
  }

  /** It has ended, and nobody asked it to. */
  protected endedByItself(exit: ComponentExit): void {
    for (const listener of this.#listeners) listener(exit);
  }
}
