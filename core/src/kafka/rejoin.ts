import { setTimeout as pause } from 'node:timers/promises';
import { PipelineError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { isUnreachable, problemOf, REJOIN_MS } from './crash.ts';

export interface RejoinOptions {
  readonly log: Logger;
  /** Connects and begins to consume; resolves when that has begun. */
  readonly start: () => Promise<void>;
  /** No more attempts: the service stops. */
  readonly stopped: AbortSignal;
  /** The consumer cannot go on. */
  readonly failed: (error: unknown) => void;
  /** Before each attempt. Milliseconds. */
  readonly pauseMs?: number;
}

/** So often in a row, without joining the group in between, something that nobody foresaw may happen. */
const MAX_UNFORESEEN = 10;

/**
 * Starts a consumer again after it crashed, about once a second, until it is back in its group. kafkajs would do so
 * itself for some errors, but as often as its first retry step allows, fifty times a second while a broker is away;
 * and it gives up on others that pass as well. What cannot pass (a fatal error of ours, missing rights) ends it.
 */
export class Rejoin {
  readonly #options: RejoinOptions;
  #crashed = false;
  #starting = false;
  #unforeseen = 0;
  #told: string | undefined;

  constructor(options: RejoinOptions) {
    this.#options = options;
  }

  /** For the consumer's `retry.restartOnFailure`. */
  static readonly byOurselves = async () => false;

  /** It is back. */
  joined(): void {
    this.#unforeseen = 0;
    this.#told = undefined;
  }

  /** It crashed, perhaps once more while it was being started. */
  crashed(error: Error): void {
    if (this.#options.stopped.aborted || !this.#mayPass(error)) return;
    this.#crashed = true;
    if (!this.#starting) void this.#again();
  }

  async #again(): Promise<void> {
    const { start, stopped, pauseMs = REJOIN_MS } = this.#options;
    this.#starting = true;
    while (this.#crashed) {
      await pause(pauseMs, undefined, { signal: stopped }).catch(() => {});
      if (stopped.aborted) return;
      this.#crashed = false;
      try {
        await start();
      } catch (error) {
        if (stopped.aborted || !this.#mayPass(error)) return;
        this.#crashed = true;
      }
    }
    this.#starting = false;
  }

  /** One log line for each kind of problem until it is back. */
  #mayPass(error: unknown): boolean {
    const { log, failed } = this.#options;
    const code = problemOf(error);
    if (isFinal(error) || (!isUnreachable(error) && ++this.#unforeseen > MAX_UNFORESEEN)) {
      failed(error);
      return false;
    }
    if (code !== this.#told) log.warn({ code, err: error }, 'the consumer crashed; it joins its group again');
    this.#told = code;
    return true;
  }
}

/** The broker's answers that no waiting changes. */
const REFUSED: readonly unknown[] = [
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
  'UNSUPPORTED_VERSION',
];

function isFinal(error: unknown): boolean {
  if (error instanceof PipelineError) return error.disposition === 'fatal';
  const { type, name, cause } = error as { type?: unknown; name?: unknown; cause?: unknown };
  if (REFUSED.includes(type) || name === 'KafkaJSSASLAuthenticationError') return true;
  return cause instanceof Error && isFinal(cause);
}
