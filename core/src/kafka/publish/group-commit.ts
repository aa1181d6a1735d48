import { codeOf, type ErrorCode, PipelineError } from '../../errors.ts';
import { failure, type PendingBatch, type PendingRecord, sizeOf, WaitingRecords, within } from './queue.ts';
import {
  type BatchOutcome,
  type GroupCommitOptions,
  type Published,
  type PublishFailure,
  type PublishRecord,
  type Route,
  Routes,
} from './transport.ts';

const DEFAULT_MAX_RECORD_BYTES = 2 * 1_048_576;
const DEFAULT_BATCH_BYTES = 900_000;
const SMALLEST_BATCH_BYTES = 64_000;
const OPEN_DEADLINE_MS = 4_000;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 1_000;

/** While another broker acknowledges, one that has not done so for this long is given up. */
const HEDGE_MS = 2_500;

interface Failed extends PublishFailure {
  readonly batch: PendingBatch;
}

interface Send {
  readonly node: number;
  readonly records: readonly PendingRecord[];
  readonly startedAt: number;
  /** False once it was given up. */
  current: boolean;
}

/**
 * Publishes records so that those which wait together travel in one produce request, one request a broker at a time, and answers each
 * when the broker has acknowledged it. What a broker does not acknowledge, because it leads no more, went away or hangs, is sent to
 * another one until its time is up: a record may be there twice, also one whose promise was rejected, and readers drop duplicates.
 *
 * When no broker is left it asks the cluster at once who leads now. If that fails too it is down: `publish` refuses at once (nothing
 * queues for a broker that is away) and it goes on trying by itself, about once a second, until one is back. A cluster of several
 * brokers is given as long as a record has: it is more likely to be slow, or between two leaders, than gone.
 */
export class GroupCommitProducer {
  readonly #options: Required<GroupCommitOptions>;
  readonly #sweeper: NodeJS.Timeout;
  #batchBytes = DEFAULT_BATCH_BYTES;
  /** Records in a produce request. Fewer while one that the topic does not take is looked for. */
  #sendRecords = Number.POSITIVE_INFINITY;
  readonly #waiting = new WaitingRecords();
  #sends = new Set<Send>();
  readonly #routes = new Routes();
  /** Where the next send to a broker begins among its partitions. */
  #turn = 0;
  #refreshing = false;
  #acknowledgedAt = 0;
  /** Brokers that led something when they were last asked. */
  #brokers = 0;
  /** Since when none of them acknowledges. */
  #lostAt = Number.NEGATIVE_INFINITY;
  #flushPlanned = false;
  #state: 'opening' | 'open' | 'down' | 'closed' = 'opening';
  #problem: ErrorCode | undefined;
  #failures = 0;
  #closing = false;
  #endPause: () => void = () => {};

  constructor(options: GroupCommitOptions) {
    this.#options = { maxRecordBytes: DEFAULT_MAX_RECORD_BYTES, ...options };
    const interval = Math.min(250, Math.max(10, options.publishTimeoutMs / 10));
    this.#sweeper = setInterval(() => this.#sweep(), interval).unref();
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
    return this.#waiting.bytes;
  }

  /**
   * Rejects with a PipelineError: KAFKA_RECORD_TOO_LARGE (reject); KAFKA_UNREACHABLE, KAFKA_TOPIC_MISSING,
   * KAFKA_BACKLOG_FULL, KAFKA_PUBLISH_FAILED (retry; the last may have arrived).
   */
  publish(record: PublishRecord): Promise<Published> {
    const bytes = sizeOf(record);
    const refusal = this.tooLarge(record) ?? this.#refusal(bytes);
    if (refusal) return Promise.reject(refusal);
    const published = this.#waiting.add(record, bytes, performance.now() + this.#options.publishTimeoutMs);
    this.#planFlush();
    return published;
  }

  /** Takes nothing more, waits for what is under way (until its time-out), disconnects. */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    while (this.#state === 'open' && (this.#waiting.size > 0 || this.#sends.size > 0)) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    this.#state = 'closed';
    clearInterval(this.#sweeper);
    this.#endPause();
    this.#waiting.rejectAll('KAFKA_UNREACHABLE');
    this.#options.transport.close();
  }

  #refusal(bytes: number): PipelineError | undefined {
    if (this.#closing || this.#state === 'down') return failure(this.#problem ?? 'KAFKA_UNREACHABLE');
    const pending = this.pendingBytes;
    if (pending > 0 && pending + bytes > this.#options.maxWaitingBytes) return failure('KAFKA_BACKLOG_FULL');
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
    const busy = new Set([...this.#sends].map(({ node }) => node));
    while (this.#state === 'open' && this.#waiting.size > 0) {
      const route = this.#routes.next((node) => busy.has(node));
      if (!route) return;
      busy.add(route.node);
      const limits = { batchBytes: this.#batchBytes, records: this.#sendRecords };
      const batches = this.#waiting.cut(route.partitions, this.#turn, limits, (partition) =>
        this.#routes.has(partition),
      );
      // The waiting records belong to partitions that others lead.
      if (batches.length === 0) continue;
      this.#turn += batches.length;
      void this.#send(route.node, batches);
    }
  }

  async #send(node: number, batches: readonly PendingBatch[]): Promise<void> {
    const records = batches.flatMap((batch) => batch.records);
    const send: Send = { node, records, startedAt: performance.now(), current: true };
    this.#sends.add(send);
    const outcomes = await this.#options.transport.send(
      node,
      batches.map((batch) => ({
        partition: batch.partition,
        records: batch.records.map(({ record }) => record),
      })),
    );
    this.#sends.delete(send);
    const failed = this.#acknowledge(batches, outcomes);
    if (failed.length === 0) this.#sendSucceeded(send, batches);
    else if (send.current) this.#sendFailed(send, failed);
  }

  /** Returns what was not acknowledged. */
  #acknowledge(batches: readonly PendingBatch[], outcomes: readonly BatchOutcome[]): Failed[] {
    return batches.flatMap((batch, i) => {
      const outcome = outcomes[i];
      if (typeof outcome !== 'number') {
        // A batch that the answer does not mention was not acknowledged.
        const unknown = { error: failure('KAFKA_PUBLISH_FAILED'), answered: false };
        return [{ batch, ...(outcome ?? unknown) }];
      }
      const { partition, records } = batch;
      for (const [n, pending] of records.entries())
        this.#waiting.resolve(pending, { partition, offset: outcome + n });
      this.#acknowledgedAt = performance.now();
      return [];
    });
  }

  #sendSucceeded(send: Send, batches: readonly PendingBatch[]): void {
    this.#routes.worked(
      send.node,
      batches.map(({ partition }) => partition),
    );
    this.#failures = 0;
    this.#sendRecords *= 2;
    this.#flush();
  }

  #sendFailed(send: Send, failed: readonly Failed[]): void {
    const now = performance.now();
    const silent = failed.find(({ answered }) => !answered);
    for (const { batch, error } of failed) {
      if (error.code === 'KAFKA_RECORD_TOO_LARGE') this.#batchTooLarge(batch, error);
      else {
        this.#waiting.putBack(batch.records);
        this.#routes.partitionFailed(batch.partition, now);
      }
    }
    if (silent) this.#brokerFailed(send.node, silent.error);
    else if (failed.every(({ error }) => error.code === 'KAFKA_RECORD_TOO_LARGE')) this.#flush();
    else this.#goOn();
  }

  /** The topic takes less than it should. Smaller batches may pass; a record that does not by itself never will. */
  #batchTooLarge({ records }: PendingBatch, error: PipelineError): void {
    const waiting = records.filter(({ settled }) => !settled);
    if (records.length === 1) {
      for (const pending of waiting) this.#waiting.reject(pending, error);
      return;
    }
    this.#batchBytes = Math.max(SMALLEST_BATCH_BYTES, this.#batchBytes / 2);
    this.#sendRecords = Math.ceil(records.length / 2);
    this.#waiting.putBack(waiting);
  }

  #drop(send: Send): void {
    send.current = false;
    this.#sends.delete(send);
    this.#waiting.putBack(send.records);
  }

  /** It is not asked for a while. */
  #brokerFailed(node: number, error: PipelineError): void {
    this.#routes.nodeFailed(node, performance.now());
    const cause = codeOf(error.cause ?? error);
    this.#options.log.warn(
      { code: 'KAFKA_PUBLISH_FAILED', cause, broker: node },
      'a broker did not acknowledge',
    );
    this.#goOn();
  }

  /** With those brokers that are left, or else with the new leaders. */
  #goOn(): void {
    if (this.#state !== 'open') return;
    if (this.#routes.size > 0) {
      this.#flush();
      void this.#refresh();
      return;
    }
    this.#failures += 1;
    if (this.#failures === 1) this.#lostAt = performance.now();
    // Requests that are under way on the old connections no longer count against the new ones.
    for (const send of [...this.#sends]) this.#drop(send);
    this.#state = 'opening';
    this.#setProblem('KAFKA_UNREACHABLE');
    // A changed leader or a cut connection: asking afresh at once often helps. Failing again, it does not.
    void this.#recover(this.#failures === 1);
  }

  /** Who leads now, while others work. */
  async #refresh(): Promise<void> {
    if (this.#refreshing || this.#state !== 'open') return;
    this.#refreshing = true;
    try {
      const routes = await within(this.#options.transport.open(), OPEN_DEADLINE_MS);
      if (this.#isOpen()) this.#opened(routes);
    } catch {
      // Those that work go on; the next look tells more.
    } finally {
      this.#refreshing = false;
    }
    if (this.#isOpen()) this.#flush();
  }

  /** Until it is connected: wait, refusing meanwhile if it is down, and try again. */
  async #recover(atOnce: boolean): Promise<void> {
    let skipPause = atOnce;
    while (this.#state !== 'closed') {
      if (!skipPause) {
        if (!this.#isBrief()) this.#goDown();
        await this.#pause();
      }
      skipPause = false;
      if (await this.#tryOpen()) return;
    }
  }

  async #tryOpen(): Promise<boolean> {
    if (this.#state === 'closed') return false;
    try {
      const routes = await within(this.#options.transport.open(), OPEN_DEADLINE_MS);
      if (this.#isClosed()) return false;
      this.#opened(routes);
      this.#state = 'open';
      this.#setProblem(undefined);
      this.#flush();
      return true;
    } catch (error) {
      if (this.#isClosed()) return false;
      this.#failures += 1;
      this.#setProblem(error instanceof PipelineError ? error.code : 'KAFKA_UNREACHABLE');
      if (!this.#isBrief()) this.#state = 'down';
      return false;
    }
  }

  #opened(routes: readonly Route[]): void {
    this.#brokers = routes.length;
    this.#routes.set(routes, performance.now());
  }

  /** Whether what waits may still be taken in time. */
  #isBrief(): boolean {
    const isLikely = this.#brokers > 1 && this.#problem === 'KAFKA_UNREACHABLE';
    return isLikely && performance.now() - this.#lostAt < this.#options.publishTimeoutMs;
  }

  /** Refuses what waits, and what comes until it is up. */
  #goDown(): void {
    this.#state = 'down';
    this.#waiting.rejectAll(this.#problem ?? 'KAFKA_UNREACHABLE');
  }

  async #pause(): Promise<void> {
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

  #isOpen(): boolean {
    return this.#state === 'open';
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  #sweep(): void {
    const now = performance.now();
    this.#waiting.rejectOverdue(now);
    for (const send of [...this.#sends]) {
      const overdue = send.records.some(({ deadline, settled }) => deadline <= now && !settled);
      // Where no broker acknowledges anything, as while replicas are missing, asking others again and again would only add to it.
      const elsewhere = this.#routes.size > 1 && this.#acknowledgedAt > send.startedAt;
      if (!overdue && !(elsewhere && now - send.startedAt > HEDGE_MS)) continue;
      for (const pending of send.records)
        if (pending.deadline <= now) this.#waiting.reject(pending, failure('KAFKA_PUBLISH_FAILED'));
      this.#drop(send);
      this.#brokerFailed(send.node, failure('KAFKA_PUBLISH_FAILED'));
    }
    if (this.#routes.isStale(now)) void this.#refresh();
  }
}
