import cluster, { type Worker as Process } from 'node:cluster';
import { CodedError } from '@email-events/schemas/errors';
import { type Answers, isAnswer, type Topic } from './questions.ts';

/** A worker ended that was not asked to, or does not answer. */
export class WorkerEnded extends CodedError<'INGRESS_WORKER_ENDED'> {
  override readonly name = 'WorkerEnded';

  constructor(message: string) {
    super('INGRESS_WORKER_ENDED', message);
  }
}

/** How a worker ended: the exit code, or the signal that killed it. */
export type Ending = number | string;

export interface Ports {
  readonly http: number;
}

interface Asked {
  resolve(answer: Answers[Topic]): void;
  reject(error: Error): void;
}

/** Less than an admin port gives each of its checks. */
const ANSWER_MS = 4_000;

/** One of the processes that take requests, as the primary sees it. */
export class Worker {
  readonly #process: Process;
  readonly #asked = new Map<number, Asked>();
  #lastId = 0;
  /** Resolves when it takes requests; rejects with WorkerEnded if it ends before. */
  readonly ready: Promise<Ports>;
  /** Resolves when it is gone. */
  readonly ended: Promise<Ending>;
  /** It cannot be asked any more: it has ended, or is about to. */
  isGone = false;

  /** Runs the program of this process once more, with the same arguments and these variables on top of its own. */
  constructor(env: { readonly [name: string]: string }) {
    this.#process = cluster.fork(env);
    this.#process.once('disconnect', () => {
      this.isGone = true;
    });
    this.ended = new Promise((resolve) => {
      this.#process.once('exit', (code, signal) => {
        this.isGone = true;
        resolve(signal ?? code);
      });
    });
    this.ready = new Promise((resolve, reject) => {
      this.#process.on('message', (message: unknown) => {
        if (isAnswer(message)) this.#answered(message);
        else if (isReady(message)) resolve(message.ports);
      });
      void this.ended.then((how) => reject(new WorkerEnded(`it ended with ${how} before it was ready`)));
    });
    // Whoever waits for it hears of it.
    this.ready.catch(() => {});
    void this.ended.then(() => {
      for (const id of this.#asked.keys()) this.#reject(id, 'it has ended');
    });
  }

  /** Throws WorkerEnded if it does not answer. */
  ask<T extends Topic>(topic: T): Promise<Answers[T]> {
    const id = ++this.#lastId;
    return new Promise<Answers[T]>((resolve, reject) => {
      const timer = setTimeout(() => this.#reject(id, `no answer within ${ANSWER_MS} ms`), ANSWER_MS);
      const asked = this.#asked;
      const settled = () => {
        clearTimeout(timer);
        asked.delete(id);
      };
      asked.set(id, {
        resolve: (answer) => {
          settled();
          resolve(answer as Answers[T]);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      });
      this.#process.send(
        { ask: topic, id },
        (error: Error | null) => error && this.#reject(id, error.message),
      );
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.process.kill(signal);
  }

  #answered(message: { id: number; answer?: Answers[Topic]; failed?: string }): void {
    const { id, answer, failed } = message;
    if (answer === undefined) this.#reject(id, String(failed));
    else this.#asked.get(id)?.resolve(answer);
  }

  #reject(id: number, why: string): void {
    this.#asked.get(id)?.reject(new WorkerEnded(why));
  }
}

function isReady(message: unknown): message is { ports: Ports } {
  return typeof message === 'object' && message !== null && 'ready' in message;
}
