import { Counter, codeOf, PipelineError, type PublishRecord, type Registry, retry } from '@email-events/core';
import { TokenBucket } from '../token-bucket.ts';
import { heldRecord, type Quarantined } from './record.ts';

/** Keeps requests that failed their verification, for somebody to look at. */
export interface Quarantine {
  /** Returns at once: the sender is not told, and does not wait. */
  keep(request: Quarantined): void;
  close(): Promise<void>;
}

export interface QuarantineProducer {
  start(): Promise<void>;
  publish(record: PublishRecord): Promise<unknown>;
  close(): Promise<void>;
}

export interface QuarantineOptions {
  /** Called when the first request is to be kept: most never have one. */
  readonly producer: () => QuarantineProducer;
  /** Of a source. Beyond it nothing is kept. */
  readonly requestsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly metrics: Registry;
  /** A producer that is only being connected is waited for, so long. Milliseconds; default: 10,000. */
  readonly waitMs?: number;
  /** Bytes of all sources that are on their way, at most. */
  readonly maxWaitingBytes?: number;
}

interface Allowance {
  readonly requests: TokenBucket;
  /** Kilobytes. */
  readonly bytes: TokenBucket;
}

const KB = 1_024;
const WAIT_MS = 10_000;
const WAITING_BYTES = 8_388_608;
const BACKOFF = { firstMs: 50, longestMs: 1_000 };
/** Nothing was sent then. Of any other failure the record may be there. */
const NOT_SENT: readonly string[] = ['KAFKA_UNREACHABLE', 'KAFKA_TOPIC_MISSING'];

/**
 * A producer of its own, and bounds of its own, so that junk takes nothing from genuine requests. What does not get through (Kafka is away for
 * longer, too much of it) is not kept anywhere: its sender was told no.
 */
export class KafkaQuarantine implements Quarantine {
  readonly #options: QuarantineOptions;
  readonly #counts: Counter<'source' | 'result'>;
  readonly #allowances = new Map<string, Allowance>();
  readonly #closed = new AbortController();
  #producer: { readonly opened: Promise<QuarantineProducer> } | undefined;
  #waitingBytes = 0;

  constructor(options: QuarantineOptions) {
    this.#options = options;
    this.#counts = new Counter({
      name: 'email_events_ingress_quarantined_total',
      help: 'Requests that failed their verification and were to be kept: kept, or not (over_rate, or the code of Kafka).',
      labelNames: ['source', 'result'],
      registers: [options.metrics],
    });
  }

  keep(request: Quarantined): void {
    const { source } = request;
    if (!this.#isAllowed(source, request.request.body.length)) {
      this.#counts.inc({ source, result: 'over_rate' });
      return;
    }
    this.#publish(heldRecord(request)).then(
      () => this.#counts.inc({ source, result: 'kept' }),
      (error: unknown) => this.#counts.inc({ source, result: codeOf(error) }),
    );
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await (await this.#producer?.opened)?.close();
  }

  async #publish(record: PublishRecord): Promise<void> {
    const { waitMs: forMs = WAIT_MS, maxWaitingBytes = WAITING_BYTES } = this.#options;
    const bytes = record.value.length;
    if (this.#waitingBytes + bytes > maxWaitingBytes)
      throw new PipelineError('KAFKA_BACKLOG_FULL', 'retry', 'too much waits to be kept');
    this.#waitingBytes += bytes;
    try {
      this.#producer ??= { opened: this.#open() };
      const producer = await this.#producer.opened;
      // The first one has it connected: that may take more than one attempt, and the topic may be new.
      const retryIf = (error: unknown) => NOT_SENT.includes(codeOf(error));
      const { signal } = this.#closed;
      await retry(() => producer.publish(record), { forMs, backoff: BACKOFF, signal, retryIf });
    } finally {
      this.#waitingBytes -= bytes;
    }
  }

  async #open(): Promise<QuarantineProducer> {
    const producer = this.#options.producer();
    await producer.start();
    return producer;
  }

  /** `source` is a name of the configuration. */
  #isAllowed(source: string, bytes: number): boolean {
    const now = performance.now();
    const { requestsPerSecond, bytesPerSecond } = this.#options;
    let allowance = this.#allowances.get(source);
    if (!allowance) {
      allowance = {
        requests: new TokenBucket(requestsPerSecond, now),
        bytes: new TokenBucket(bytesPerSecond / KB, now),
      };
      this.#allowances.set(source, allowance);
    }
    if (allowance.requests.wait(now) > 0 || allowance.bytes.wait(now) > 0) return false;
    allowance.requests.take(now);
    allowance.bytes.take(now, bytes / KB);
    return true;
  }
}
