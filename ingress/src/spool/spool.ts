import { accessSync, constants, mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { ConfigError, codeOf, type Logger, type PublishRecord } from '@email-events/core';
import { Refused } from '../codes.ts';
import type {
  DrainBatch,
  SpoolNote,
  SpoolProblem,
  SpoolStatus,
  StoreReply,
  StoreRequest,
  StoreSettings,
  ThreadMessage,
} from './spool-store.ts';

export interface SpoolOptions {
  readonly dir: string;
  readonly maxBytes: number;
  readonly log: Logger;
  /** Called when damage is found in a file of the spool. */
  readonly damaged?: () => void;
  readonly clock?: () => number;
}

interface Waiting {
  readonly record: PublishRecord;
  readonly done: (problem: SpoolProblem | undefined) => void;
}

/** One transaction of the store. */
const MOST_BYTES = 4 * 1_048_576;
const MOST_RECORDS = 2_000;
/** A disk that takes longer counts as one that does not work. */
const WRITE_DEADLINE_MS = 5_000;
const PROBE_MS = 1_000;

/**
 * Requests on this machine's disk while Kafka cannot take them. Those that wait together are one transaction: the cost
 * of syncing is shared. Nothing here touches the disk until a request is appended.
 */
export class Spool {
  readonly #options: Required<SpoolOptions>;
  readonly #thread: StoreThread;
  #waiting: Waiting[] = [];
  #writing = false;
  #late = false;
  #probe: NodeJS.Timeout | undefined;
  #wake: () => void = () => {};

  /** Throws ConfigError if the directory cannot be used. A disk that is full or fails now is no reason not to start. */
  static async start(options: SpoolOptions): Promise<Spool> {
    const dir = resolve(options.dir);
    try {
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      accessSync(dir, constants.R_OK | constants.W_OK | constants.X_OK);
    } catch (error) {
      const message = `${dir} cannot be used (${codeOf(error)}); the spool needs a directory that it may write to`;
      throw new ConfigError([{ path: 'ingress.spool.dir', message }]);
    }
    const spool = new Spool({ damaged: () => {}, clock: Date.now, ...options, dir });
    await spool.#thread.start();
    spool.#probe = setInterval(() => spool.#probeIfNeeded(), PROBE_MS).unref();
    return spool;
  }

  private constructor(options: Required<SpoolOptions>) {
    this.#options = options;
    this.#thread = new StoreThread(options);
  }

  get status(): SpoolStatus {
    return this.#thread.status;
  }

  /** Undefined when it takes requests, else why not. */
  health(): SpoolProblem | undefined {
    return this.#late ? 'INGRESS_SPOOL_UNAVAILABLE' : this.#thread.status.problem;
  }

  /** Resolves when the request is on the disk. Rejects with Refused (INGRESS_SPOOL_…); it may be there all the same. */
  append(record: PublishRecord): Promise<void> {
    const problem = this.health();
    if (problem) return Promise.reject(new Refused(problem));
    return new Promise((resolve, reject) => {
      const done = (why: SpoolProblem | undefined) => (why ? reject(new Refused(why)) : resolve());
      this.#waiting.push({ record, done });
      if (!this.#writing) void this.#write();
    });
  }

  /** Some of the oldest requests; undefined if there are none. The next call gives them again unless they are settled. */
  async next(maxRecords: number, maxBytes: number): Promise<DrainBatch | undefined> {
    return (await this.#thread.ask({ type: 'next', maxRecords, maxBytes }))?.batch;
  }

  async settle(spool: string, published: readonly number[], refused: readonly number[]): Promise<void> {
    await this.#thread.ask({ type: 'settle', spool, published, refused });
  }

  /** Resolves when something was appended, or `end` was called. */
  appended(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Requests that are not drained stay for the next start, or for another process. */
  async close(): Promise<void> {
    clearInterval(this.#probe);
    this.#wake();
    await this.#thread.close();
  }

  async #write(): Promise<void> {
    this.#writing = true;
    // Requests that were read in the same turn of the event loop go together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const batch = this.#take();
      const problem = await this.#writeBatch(batch);
      for (const { done } of batch) done(problem);
      this.#wake();
    }
    this.#writing = false;
  }

  async #writeBatch(batch: readonly Waiting[]): Promise<SpoolProblem | undefined> {
    const late = setTimeout(() => {
      this.#late = true;
      this.#options.log.error({ code: 'INGRESS_SPOOL_UNAVAILABLE' }, 'the disk of the spool does not answer');
      for (const { done } of [...batch, ...this.#waiting]) done('INGRESS_SPOOL_UNAVAILABLE');
      this.#waiting = [];
    }, WRITE_DEADLINE_MS);
    const lengths = batch.map(({ record }) => record.value.length);
    const bodies = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
    let end = 0;
    for (const { record } of batch) {
      bodies.set(record.value, end);
      end += record.value.length;
    }
    const headers = batch.map(({ record }) => packHeaders(record.headers));
    const request = { type: 'append', at: this.#options.clock(), headers, lengths, bodies } as const;
    const reply = await this.#thread.ask(request, [bodies.buffer]);
    clearTimeout(late);
    this.#late = false;
    return reply ? reply.problem : 'INGRESS_SPOOL_UNAVAILABLE';
  }

  /** Off the front of what waits, as much as fits into one transaction. */
  #take(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { record } of this.#waiting) {
      bytes += record.value.length;
      if (count > 0 && (bytes > MOST_BYTES || count === MOST_RECORDS)) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  #probeIfNeeded(): void {
    if (this.#thread.status.problem && !this.#writing) void this.#thread.ask({ type: 'probe' });
  }
}

/** Byte for byte: a character of the text is one byte of the header. */
export function packHeaders(headers: PublishRecord['headers']): string {
  return JSON.stringify(
    Object.fromEntries(Object.entries(headers).map(([name, bytes]) => [name, bytes.toString('latin1')])),
  );
}

export function unpackHeaders(text: string): { [name: string]: Buffer } {
  const headers = JSON.parse(text) as { [name: string]: string };
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Buffer.from(value, 'latin1')]),
  );
}

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
