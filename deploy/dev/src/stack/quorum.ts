import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Component } from './stack.ts';

/** What a broker writes when it has closed its data, and removes when it opens them. */
const CLOSED = '.kafka_cleanshutdown';
/**
 * The brokers of a cluster, each of which is a controller as well. One that is told to end asks the active controller first,
 * and there is none unless most of them run; it then asks for minutes. And the last active controller waits for five
 * seconds for somebody to take over. So when the brokers end together, all are let go at nearly the same time, and
 * whichever is last is left with a wait that leads to nothing.
 */
export class Quorum {
  readonly #size: number;
  readonly #brokers: Pick<Component, 'state'>[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  add(broker: Pick<Component, 'state'>): void {
    this.#brokers.push(broker);
  }

  /**
   * Called when a broker is told to end. The answer says, whenever it is asked, whether waiting for it leads to nothing.
   * @param serves whether the broker answers its clients, which it does until it was let go
   */
  ending(logDir: string, serves: () => Promise<boolean>): () => Promise<boolean> {
    if (this.#size === 1) return async () => false;
    const lostBefore = this.#lost();
    return async () => {
      if (lostBefore) return true;
      if (!this.#lost()) return false;
      return existsSync(join(logDir, CLOSED)) || (await serves());
    };
  }

  #lost(): boolean {
    const active = this.#brokers.filter(({ state }) => state === 'running' || state === 'starting');
    return active.length <= this.#size / 2;
  }
}
