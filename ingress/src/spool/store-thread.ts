import { Worker } from 'node:worker_threads';
import { codeOf, type Logger } from '@email-events/core';
import type {
  SpoolNote,
  SpoolStatus,
  StoreReply,
  StoreRequest,
  StoreSettings,
  ThreadMessage,
} from './protocol.ts';

export interface StoreThreadOptions extends StoreSettings {
  readonly log: Logger;
  readonly damaged: () => void;
}

const RESTART_MS = 1_000;
const NOT_THERE: SpoolStatus = {
  problem: 'INGRESS_SPOOL_UNAVAILABLE',
  records: 0,
  bytes: 0,
  oldestAt: undefined,
  setAside: 0,
};

/** The store in its thread. One that ends by itself is started again; what it had accepted is on the disk. */
export class StoreThread {
  readonly #options: StoreThreadOptions;
  readonly #calls = new Map<number, (reply: StoreReply | undefined) => void>();
  #worker: Worker | undefined;
  #status = NOT_THERE;
  #lastId = 0;
  #closing = false;
  #restart: NodeJS.Timeout | undefined;

  constructor(options: StoreThreadOptions) {
    this.#options = options;
  }

  get status(): SpoolStatus {
    return this.#status;
  }

  /** Resolves when it has said its first status. */
  start(): Promise<void> {
    const { dir, maxBytes } = this.#options;
    const worker = new Worker(new URL('./spool-thread.ts', import.meta.url), {
      name: 'spool',
      workerData: { dir, maxBytes } satisfies StoreSettings,
    });
    this.#worker = worker;
    const { promise, resolve } = Promise.withResolvers<void>();
    worker.on('message', (message: ThreadMessage) => {
      if ('note' in message) return this.#note(message.note);
      this.#status = message.status;
      if (message.id === 0) resolve();
      else this.#answer(message.id, message);
    });
    worker.on('error', (error) => {
      const fields = { code: 'INGRESS_SPOOL_UNAVAILABLE', cause: codeOf(error), err: error };
      this.#options.log.error(fields, 'the thread of the spool failed');
    });
    worker.once('exit', () => {
      resolve();
      if (this.#worker === worker) this.#ended();
    });
    return promise;
  }

  /** Undefined if the thread is not there any more. */
  ask(request: StoreRequest, transfer: ArrayBuffer[] = []): Promise<StoreReply | undefined> {
    const worker = this.#worker;
    if (!worker) return Promise.resolve(undefined);
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      this.#calls.set(id, resolve);
      worker.postMessage({ id, request }, transfer);
    });
  }

  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#restart);
    const worker = this.#worker;
    if (!worker) return;
    await this.ask({ type: 'close' });
    await worker.terminate();
  }

  #ended(): void {
    this.#worker = undefined;
    this.#status = NOT_THERE;
    for (const id of [...this.#calls.keys()]) this.#answer(id, undefined);
    if (!this.#closing) this.#restart = setTimeout(() => void this.start(), RESTART_MS);
  }

  #answer(id: number, reply: StoreReply | undefined): void {
    const resolve = this.#calls.get(id);
    this.#calls.delete(id);
    resolve?.(reply);
  }

  #note(note: SpoolNote): void {
    const { level, text, fields, code } = note;
    this.#options.log[level]({ ...(code && { code }), ...fields }, text);
    if (code === 'INGRESS_SPOOL_DAMAGED') this.#options.damaged();
  }
}
