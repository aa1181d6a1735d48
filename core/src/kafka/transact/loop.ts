import { setTimeout as pause } from 'node:timers/promises';
import type { Admin, Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import type { PipelineConfig } from '../../config/index.ts';
import type { InputRecord } from '../../dead-letter.ts';
import { codeOf } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import type { Registry } from '../../metrics.ts';
import { whenThere } from '../../start-up.ts';
import { createKafka } from '../client.ts';
import { problemOf, reaching } from '../crash.ts';
import { inputRecordOf } from '../input-record.ts';
import { keepCommitted } from '../out-of-range.ts';
import { Rejoin } from '../rejoin.ts';
import { IdleCommits } from './idle-commits.ts';
import { Lane } from './lane.ts';
import { isFatal, isFenced, Lanes } from './lanes.ts';
import { LoopMeasures } from './measures.ts';
import type { Stage } from './stage.ts';

export interface TransactionalLoopOptions {
  readonly kafka: PipelineConfig['kafka'];
  /** Service name: part of the client id and, after the group prefix, the consumer group. */
  readonly name: string;
  readonly topic: string;
  /** Partitions handled at a time. */
  readonly concurrency: number;
  readonly createStage: (partition: number) => Stage;
  readonly log: Logger;
  readonly metrics: Registry;
}

export interface TransactionalLoop {
  readonly groupId: string;
  /** Codes of what keeps it from working. */
  problems(): readonly string[];
  /** A partition was assigned and is being opened: its state is being restored. */
  isOpening(): boolean;
  /** Finishes the batches under way and leaves the group. */
  stop(): Promise<void>;
  /** Resolves after stop; rejects when it cannot go on. */
  readonly done: Promise<void>;
}

const HEARTBEAT_MS = 3_000;
/**
 * A transaction costs some milliseconds however little it carries. Waiting this long for this much to come together
 * keeps a trickle of records from becoming a flood of transactions.
 */
const FETCH_WAIT_MS = 100;
const FETCH_BYTES = 65_536;
const MAX_PAUSE_MS = 5_000;
const TRANSACTION_TIMEOUT_MS = 60_000;
const RESTORE_IDLE_MS = 30_000;

/**
 * Consume → process → produce, with offsets and outputs of a batch in one transaction per input partition.
 * A batch that fails is tried again by a new lane until it succeeds, the partition is taken away or the loop is stopped;
 * the offset never moves past it otherwise.
 */
export async function startTransactionalLoop(options: TransactionalLoopOptions): Promise<TransactionalLoop> {
  const loop = new Loop(options);
  await loop.start();
  return loop;
}

class Loop implements TransactionalLoop {
  readonly groupId: string;
  private readonly options: TransactionalLoopOptions;
  private readonly kafka: Kafka;
  private readonly admin: Admin;
  private readonly consumer: Consumer;
  private readonly lanes: Lanes;
  private readonly measures: LoopMeasures;
  private readonly idle = new IdleCommits((partition, nextOffset) => this.commitIdle(partition, nextOffset));
  private readonly finished = Promise.withResolvers<void>();
  private readonly rejoin: Rejoin;
  private readonly halt = new AbortController();
  private stopping = false;
  /** What keeps the consumer, or one of its partitions, from working. */
  private problem: string | undefined = 'KAFKA_NOT_JOINED';
  private readonly troubled = new Map<number, string>();
  private readonly openingAhead = new Set<number>();
  private assigned: readonly number[] = [];

  constructor(options: TransactionalLoopOptions) {
    this.options = options;
    const { kafka: settings, name, log } = options;
    this.groupId = `${settings.groupPrefix}.${name}`;
    keepCommitted(this.groupId);
    this.kafka = createKafka(settings, name, log);
    this.admin = this.kafka.admin();
    this.consumer = this.kafka.consumer({
      groupId: this.groupId,
      sessionTimeout: settings.sessionTimeoutMs,
      heartbeatInterval: HEARTBEAT_MS,
      minBytes: FETCH_BYTES,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      retry: { restartOnFailure: Rejoin.byOurselves },
    });
    this.rejoin = new Rejoin({
      log,
      stopped: this.halt.signal,
      failed: (error) => this.finished.reject(error),
      start: async () => {
        await this.consumer.connect();
        await this.consume();
      },
    });
    this.lanes = new Lanes((partition) => this.makeLane(partition), log);
    this.measures = new LoopMeasures(options.metrics, options.topic);
    this.finished.promise.catch(() => {});
  }

  get done(): Promise<void> {
    return this.finished.promise;
  }

  async start(): Promise<void> {
    const { topic } = this.options;
    const { GROUP_JOIN, CRASH, END_BATCH_PROCESS } = this.consumer.events;
    this.consumer.on(GROUP_JOIN, ({ payload }) => this.assign(payload.memberAssignment[topic] ?? []));
    this.consumer.on(CRASH, ({ payload }) => {
      this.problem = problemOf(payload.error);
      this.rejoin.crashed(payload.error);
    });
    // Fetches that hold nothing but transaction markers never get to eachBatch.
    this.consumer.on(END_BATCH_PROCESS, ({ payload: { batchSize, partition, lastOffset } }) => {
      if (batchSize === 0) this.idle.passed(partition, Number(lastOffset) + 1);
    });
    // The broker was there a moment ago; it may be away by now.
    await whenThere(
      () =>
        reaching(async () => {
          await this.admin.connect();
          await this.consumer.connect();
          await this.consumer.subscribe({ topic, fromBeginning: true });
        }),
      { log: this.options.log, what: 'kafka' },
    );
    await this.consume();
  }

  private consume(): Promise<void> {
    return this.consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: this.options.concurrency,
      eachBatch: (payload) => this.handle(payload),
    });
  }

  problems(): readonly string[] {
    return [...(this.problem === undefined ? [] : [this.problem]), ...this.troubled.values()];
  }

  isOpening(): boolean {
    return this.lanes.isOpening();
  }

  async stop(): Promise<void> {
    if (this.stopping) return this.finished.promise.catch(() => {});
    this.stopping = true;
    this.halt.abort();
    this.idle.forgetAll();
    // Batches wait for them, and the consumer for its batches.
    this.lanes.abandonOpening();
    await this.consumer.stop();
    await this.lanes.closeAll();
    await Promise.all([this.consumer.disconnect(), this.admin.disconnect()]);
    this.finished.resolve();
  }

  private assign(partitions: readonly number[]): void {
    this.problem = undefined;
    this.rejoin.joined();
    for (const partition of this.assigned) {
      if (partitions.includes(partition)) continue;
      this.troubled.delete(partition);
      this.idle.forget(partition);
      this.measures.forget(partition);
    }
    this.assigned = partitions;
    this.lanes.assign(partitions);
    for (const partition of partitions) void this.openAhead(partition);
  }

  /**
   * A lane that cannot be opened is tried again although no batch asks for it: the partition counts as troubled until it
   * is open. A batch that comes meanwhile takes over. So does the group where the lane was fenced.
   */
  private async openAhead(partition: number): Promise<void> {
    if (this.openingAhead.has(partition)) return;
    this.openingAhead.add(partition);
    const { log, topic } = this.options;
    for (let attempt = 0; this.assigned.includes(partition) && !this.stopping; attempt++) {
      const opening = this.lanes.get(partition);
      const error = await opening.then(
        () => undefined,
        (reason: unknown) => ({ reason }),
      );
      if (!error) this.troubled.delete(partition);
      if (!error || isFenced(error.reason) || this.lanes.existing(partition) !== opening) break;
      const code = problemOf(error.reason);
      this.measures.failures.inc({ code });
      this.troubled.set(partition, code);
      log.warn({ code, topic, partition, attempt }, 'a partition cannot be opened now');
      if (isFatal(error.reason)) {
        this.finished.reject(error.reason);
        break;
      }
      await pause(pauseMs(attempt), undefined, { ref: false });
      if (this.lanes.existing(partition) !== opening) break;
      await this.lanes.drop(partition);
    }
    this.openingAhead.delete(partition);
  }

  private makeLane(partition: number): Lane {
    const { topic, createStage } = this.options;
    return new Lane({
      kafka: this.kafka,
      admin: this.admin,
      groupId: this.groupId,
      topic,
      partition,
      stage: createStage(partition),
      transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
      restoreIdleMs: RESTORE_IDLE_MS,
    });
  }

  private async handle(payload: EachBatchPayload): Promise<void> {
    const { batch, heartbeat, isRunning, isStale, resolveOffset } = payload;
    const records = batch.messages.map((message) => inputRecordOf(batch, message));
    const nextOffset = Number(batch.lastOffset()) + 1;
    const started = performance.now();
    this.idle.forget(batch.partition);
    const owned = () => isRunning() && !isStale() && this.assigned.includes(batch.partition);
    // Not resolved unless done: the next owner reads it again, and leaves out what was committed after all.
    if (!(await this.tryUntilDone(payload, records, nextOffset, owned))) return;
    this.troubled.delete(batch.partition);
    resolveOffset(batch.messages.at(-1)?.offset ?? batch.lastOffset());
    this.measures.committed(records.length, started);
    this.measures.behind(batch.partition, Number(batch.highWatermark) - nextOffset);
    await heartbeat();
  }

  private async tryUntilDone(
    { batch, heartbeat }: EachBatchPayload,
    records: readonly InputRecord[],
    nextOffset: number,
    owned: () => boolean,
  ): Promise<boolean> {
    for (let attempt = 0; owned() && !this.stopping; attempt++) {
      try {
        await keepAlive(heartbeat, async () => {
          const lane = await this.lanes.get(batch.partition);
          await lane.process(records, nextOffset, Number(batch.highWatermark));
        });
        return true;
      } catch (error) {
        await this.recover(error, attempt, batch.partition, heartbeat);
      }
    }
    return false;
  }

  private async recover(
    error: unknown,
    attempt: number,
    partition: number,
    heartbeat: () => Promise<void>,
  ): Promise<void> {
    const { log, topic } = this.options;
    const code = problemOf(error);
    this.measures.failures.inc({ code });
    this.troubled.set(partition, code);
    await this.lanes.drop(partition);
    if (isFatal(error)) {
      this.finished.reject(error);
      throw error;
    }
    log.warn({ code, topic, partition, attempt, err: error }, 'a transaction failed and is tried again');
    // Who was fenced may have lost the partition without knowing: only a heartbeat that the group accepts says it has not.
    const waitMs = isFenced(error) ? HEARTBEAT_MS + 100 : pauseMs(attempt);
    await keepAlive(heartbeat, () => pause(waitMs));
    await heartbeat();
  }

  /** Best effort: the next batch, or the next marker, commits it as well. */
  private async commitIdle(partition: number, nextOffset: number): Promise<void> {
    try {
      const lane = await this.lanes.existing(partition);
      if (!lane || this.stopping) return;
      await lane.process([], nextOffset);
      this.measures.behind(partition, 0);
    } catch (error) {
      const code = codeOf(error);
      this.measures.failures.inc({ code });
      this.options.log.debug({ code, topic: this.options.topic, partition }, 'an idle commit failed');
      await this.lanes.drop(partition);
    }
  }
}

const pauseMs = (attempt: number) => Math.min(MAX_PAUSE_MS, 50 * 2 ** attempt) * (0.5 + Math.random() / 2);

/**
 * Heartbeats while the work goes on. A heartbeat that the group refuses does not end work that succeeds, since a commit
 * is a commit: the next heartbeat is refused as well.
 */
async function keepAlive<T>(heartbeat: () => Promise<void>, work: () => Promise<T>): Promise<T> {
  let refused: unknown;
  const timer = setInterval(() => {
    heartbeat().catch((error) => {
      refused = error;
    });
  }, HEARTBEAT_MS);
  try {
    return await work();
  } catch (error) {
    throw refused ?? error;
  } finally {
    clearInterval(timer);
  }
}
