import { codeOf, type ErrorCode, PipelineError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { cutSend, type PendingRecord, sizeOf } from './group-commit-batch.ts';
import type { Published, PublishRecord, RecordTransport } from './group-commit-transport.ts';

export interface GroupCommitOptions {
  readonly transport: RecordTransport;
  readonly log: Logger;
  /** Time from `publish` to the broker's acknowledgement. */
  readonly publishTimeoutMs: number;
  /** Bytes that wait or are under way; beyond it `publish` refuses. */
  readonly maxWaitingBytes: number;
  /** What the topic takes (max.message.bytes). */
  readonly maxRecordBytes?: number;
  /** Produce requests under way at a time. More than one splits what could travel together. */
  readonly maxSends?: number;
}

const DEFAULT_MAX_RECORD_BYTES = 2 * 1_048_576;
const DEFAULT_BATCH_BYTES = 900_000;
const SMALLEST_BATCH_BYTES = 64_000;
const OPEN_DEADLINE_MS = 4_000;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 1_000;

interface Send {
  readonly records: readonly PendingRecord[];
  /** False once somebody else decided that it failed. */
  current: boolean;
}

/**
 * Publishes records so that those which wait together travel in one produce request, and answers each when the
 * broker has acknowledged it. Records are not sent twice by it, but one whose promise was rejected may have arrived
 * all the same: readers drop duplicates.
 *
 * A send that fails makes it connect afresh. If that fails too it is down: `publish` refuses at once (nothing queues for
 * a broker that is away) and it goes on trying by itself, about once a second, until the broker is back.
 */
export class GroupCommitProducer {
  readonly #options: Required<GroupCommitOptions>;
  readonly #sweeper: NodeJS.Timeout;
  #batchBytes = DEFAULT_BATCH_BYTES;
  /** Records in a produce request. Fewer while one that the topic does not take is looked for. */
  #sendRecords = Number.POSITIVE_INFINITY;
  #waiting: PendingRecord[] = [];
  #bytes = 0;
  #sends = new Set<Send>();
  #partitions: readonly number[] = [];
  #turn = 0;
  #flushPlanned = false;
  #state: 'opening' | 'open' | 'down' | 'closed' = 'opening';
  #problem: ErrorCode | undefined;
  #failures = 0;
  #closing = false;
  #endPause: () => void = () => {};

  constructor(options: GroupCommitOptions) {
    this.#options = { maxRecordBytes: DEFAULT_MAX_RECORD_BYTES, maxSends: 1, ...options };
    const interval = Math.min(250, Math.max(10, options.publishTimeoutMs / 10));
    this.#sweeper = setInterval(() => this.#rejectOverdue(), interval).unref();
  }

  /** Resolves after the first attempt to connect, whether it succeeded or not (see `health`). */
  async start(): Promise<void> {
    if (await this.#tryOpen()) return;
    void this.#recover(false);
  }

  /** Undefined when records can be published, else why not. */
  health(): ErrorCode | undefined {
    return this.#problem ?? (this.#state === 'open' ? undefined : 'KAFKA_UNREACHABLE');
  }

  /** Why the topic will never take this record, whether the broker is there or not; undefined if it should. */
  tooLarge(record: PublishRecord): PipelineError | undefined {
    const bytes = sizeOf(record);
    if (bytes <= this.#options.maxRecordBytes) return undefined;
    return new PipelineError('KAFKA_RECORD_TOO_LARGE', 'reject', `a record of ${bytes} bytes`);
  }

  /** Bytes not yet acknowledged. */
  get pendingBytes(): number {
    return this.#bytes;
  }

  /**
   * Rejects with a PipelineError: KAFKA_RECORD_TOO_LARGE (reject); KAFKA_UNREACHABLE, KAFKA_TOPIC_MISSING,
   * KAFKA_BACKLOG_FULL, KAFKA_PUBLISH_FAILED (retry; the last may have arrived).
   */
  publish(record: PublishRecord): Promise<Published> {
    const bytes = sizeOf(record);
    const refusal = this.tooLarge(record) ?? this.#refusal(bytes);
    if (refusal) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      const deadline = performance.now() + this.#options.publishTimeoutMs;
      this.#bytes += bytes;
      this.#waiting.push({ record, bytes, deadline, resolve, reject, settled: false });
      this.#planFlush();
    });
  }

  /** Takes nothing more, waits for what is under way (until its time-out), disconnects. */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    while (this.#state === 'open' && (this.#waiting.length > 0 || this.#sends.size > 0)) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    this.#state = 'closed';
    clearInterval(this.#sweeper);
    this.#endPause();
    this.#rejectWaiting('KAFKA_UNREACHABLE');
    await this.#options.transport.close();
  }

  #refusal(bytes: number): PipelineError | undefined {
    if (this.#closing || this.#state === 'down') return failure(this.#problem ?? 'KAFKA_UNREACHABLE');
    if (this.#bytes > 0 && this.#bytes + bytes > this.#options.maxWaitingBytes)
      return failure('KAFKA_BACKLOG_FULL');
    return undefined;
  }

  /** At the end of this turn of the event loop, so that requests that were read in the same turn go together. */
  #planFlush(): void {
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    setImmediate(() => {
      this.#flushPlanned = false;
      this.#flush();
    });
  }

  #flush(): void {
    while (this.#state === 'open' && this.#waiting.length > 0 && this.#sends.size < this.#options.maxSends) {
      const limits = { batchBytes: this.#batchBytes, records: this.#sendRecords };
      const { batches, rest } = cutSend(this.#waiting, this.#partitions, this.#turn, limits);
      this.#turn = (this.#turn + batches.length) % this.#partitions.length;
      this.#waiting = rest;
      const send: Send = { records: batches.flatMap(({ records }) => records), current: true };
      this.#sends.add(send);
      this.#options.transport
        .send(
          batches.map(({ partition, records }) => ({
            partition,
            records: records.map(({ record }) => record),
          })),
        )
        .then(
          (acknowledged) => {
            for (const { partition, records } of batches) {
              const base = acknowledged.get(partition);
              records.forEach((pending, i) => {
                // A partition that the answer does not mention was not acknowledged.
                if (base === undefined) this.#reject(pending, failure('KAFKA_PUBLISH_FAILED'));
                else this.#resolve(pending, { partition, offset: base + i });
              });
            }
            this.#sendEnded(send, undefined);
          },
          (error: unknown) => this.#sendEnded(send, error),
        );
    }
  }

  #sendEnded(send: Send, error: unknown): void {
    this.#sends.delete(send);
    if (error === undefined) {
      this.#failures = 0;
      this.#sendRecords *= 2;
      this.#flush();
      return;
    }
    if (codeOf(error) === 'KAFKA_RECORD_TOO_LARGE') {
      this.#sendTooLarge(send, error as PipelineError);
      return;
    }
    for (const pending of send.records) this.#reject(pending, failure('KAFKA_PUBLISH_FAILED', error));
    if (send.current) this.#sendFailed(error);
  }

  /** The topic takes less than it should. Smaller batches may pass; a record that does not by itself never will. */
  #sendTooLarge(send: Send, error: PipelineError): void {
    const waiting = send.records.filter(({ settled }) => !settled);
    if (send.records.length === 1) for (const pending of waiting) this.#reject(pending, error);
    else {
      this.#batchBytes = Math.max(SMALLEST_BATCH_BYTES, this.#batchBytes / 2);
      this.#sendRecords = Math.ceil(send.records.length / 2);
      this.#waiting = [...waiting, ...this.#waiting];
    }
    this.#flush();
  }

  #sendFailed(error: unknown): void {
    if (this.#state !== 'open') return;
    this.#failures += 1;
    this.#options.log.warn(
      { code: 'KAFKA_PUBLISH_FAILED', cause: codeOf(error) },
      'a produce request failed',
    );
    // What is under way on the old connections no longer counts against the new ones.
    for (const send of this.#sends) send.current = false;
    this.#sends.clear();
    this.#state = 'opening';
    this.#setProblem('KAFKA_UNREACHABLE');
    // A changed leader or a cut connection: connecting afresh at once often helps. Failing again, it does not.
    void this.#recover(this.#failures === 1);
  }

  /** Until it is connected: refuse for a while, try again. */
  async #recover(atOnce: boolean): Promise<void> {
    let skipPause = atOnce;
    while (this.#state !== 'closed') {
      if (!skipPause) await this.#stayDown();
      skipPause = false;
      if (await this.#tryOpen()) return;
    }
  }

  async #tryOpen(): Promise<boolean> {
    if (this.#state === 'closed') return false;
    try {
      const partitions = await within(this.#options.transport.open(), OPEN_DEADLINE_MS);
      if (this.#isClosed()) return false;
      this.#partitions = partitions;
      this.#state = 'open';
      this.#setProblem(undefined);
      this.#flush();
      return true;
    } catch (error) {
      if (this.#isClosed()) return false;
      this.#failures += 1;
      this.#state = 'down';
      this.#setProblem(error instanceof PipelineError ? error.code : 'KAFKA_UNREACHABLE');
      return false;
    }
  }

  /** Refuses what waits and what comes, until the pause is over. */
  async #stayDown(): Promise<void> {
    this.#state = 'down';
    this.#rejectWaiting(this.#problem ?? 'KAFKA_UNREACHABLE');
    const ms = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.#failures, 10));
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
      this.#endPause = resolve;
    });
    clearTimeout(timer);
  }

  /** One log line a change, none for every attempt. */
  #setProblem(problem: ErrorCode | undefined): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    if (problem) this.#options.log.warn({ code: problem }, 'Kafka is not usable; trying on');
    else this.#options.log.info('connected to Kafka');
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  #rejectOverdue(): void {
    const now = performance.now();
    let alive = 0;
    while (alive < this.#waiting.length && (this.#waiting[alive]?.deadline ?? 0) <= now) alive++;
    if (alive > 0) {
      for (const pending of this.#waiting.slice(0, alive))
        this.#reject(pending, failure('KAFKA_PUBLISH_FAILED'));
      this.#waiting = this.#waiting.slice(alive);
    }
    for (const send of this.#sends) {
      const overdue = send.records.filter(({ deadline, settled }) => deadline <= now && !settled);
      if (overdue.length === 0) continue;
      for (const pending of overdue) this.#reject(pending, failure('KAFKA_PUBLISH_FAILED'));
      this.#sendFailed(new PipelineError('KAFKA_PUBLISH_FAILED', 'retry', 'not acknowledged in time'));
      return;
    }
  }

  #rejectWaiting(code: ErrorCode): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const pending of waiting) this.#reject(pending, failure(code));
  }

  #resolve(pending: PendingRecord, published: Published): void {
    if (this.#settle(pending)) pending.resolve(published);
  }

  #reject(pending: PendingRecord, error: PipelineError): void {
    if (this.#settle(pending)) pending.reject(error);
  }

  #settle(pending: PendingRecord): boolean {
    if (pending.settled) return false;
    pending.settled = true;
    this.#bytes -= pending.bytes;
    return true;
  }
}

function failure(code: ErrorCode, cause?: unknown): PipelineError {
  return new PipelineError(
    code,
    'retry',
    'the record was not published',
    cause === undefined ? {} : { cause },
  );
}

function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(failure('KAFKA_UNREACHABLE')), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
