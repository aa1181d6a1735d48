import { setTimeout as sleep } from 'node:timers/promises';

/** Units (events or requests) a second. */
export class Pace {
  readonly #perSecond: number | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #start = performance.now();
  #units = 0;

  constructor(perSecond: number | undefined, signal: AbortSignal | undefined) {
    this.#perSecond = perSecond;
    this.#signal = signal;
  }

  /** Waits until it is the turn of this many units; takes turns in the order of the calls. */
  async turn(units: number): Promise<void> {
    if (this.#perSecond === undefined) return;
    const due = this.#start + (this.#units * 1000) / this.#perSecond;
    this.#units += units;
    await pause(due - performance.now(), this.#signal);
  }
}

/** Waits, but no longer than until the signal. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (ms < 1 || signal?.aborted) return;
  await sleep(ms, undefined, signal ? { signal } : {}).catch(() => undefined);
}
