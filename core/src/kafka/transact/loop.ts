import { setTimeout as pause } from 'node:timers/promises';
import type { Admin, Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import type { PipelineConfig } from '../../config/index.ts';
import type { InputRecord } from '../../dead-letter.ts';
import { codeOf } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import { Counter, Gauge, Histogram, type Registry } from '../../metrics.ts';
import { createKafka } from '../client.ts';
import { inputRecordOf } from '../input-record.ts';
import { Lane } from './lane.ts';
import { isFatal, isFenced, Lanes } from './lanes.ts';
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
  /** Undefined when it works; else the code of what keeps it from working. */
  readiness(): string | undefined;
  /** Finishes the batches under way and leaves the group. */
  stop(): Promise<void>;
  /** Resolves after stop; rejects when it cannot go on. */
  readonly done: Promise<void>;
}

const HEARTBEAT_MS = 3_000;
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
  private readonly measures: ReturnType<typeof createMeasures>;
  private readonly finished = Promise.withResolvers<void>();
  private stopping = false;
  private problem: string | undefined = 'KAFKA_NOT_JOINED';

  constructor(options: TransactionalLoopOptions) {
    this.options = options;
    const { kafka: settings, name, log } = options;
    this.groupId = `${settings.groupPrefix}.${name}`;
    this.kafka = createKafka(settings, name, log);
    this.admin = this.kafka.admin();
    this.consumer = this.kafka.consumer({
      groupId: this.groupId,
      sessionTimeout: settings.sessionTimeoutMs,
      heartbeatInterval: HEARTBEAT_MS,
      maxWaitTimeInMs: 1_000,
      retry: { restartOnFailure: async () => !this.stopping },
    });
    this.lanes = new Lanes((partition) => this.makeLane(partition), log);
    this.measures = createMeasures(options.metrics);
    this.finished.promise.catch(() => {});
  }

  get done(): Promise<void> {
    return this.finished.promise;
  }

  async start(): Promise<void> {
    const { topic, concurrency } = this.options;
    const { GROUP_JOIN, CRASH } = this.consumer.events;
    this.consumer.on(GROUP_JOIN, ({ payload }) => {
      this.problem = undefined;
      this.lanes.assign(payload.memberAssignment[topic] ?? []);
    });
    this.consumer.on(CRASH, ({ payload }) => {
      this.problem = codeOf(payload.error);
      this.options.log.warn({ code: this.problem, restart: payload.restart }, 'the consumer crashed');
      if (!payload.restart && !this.stopping) this.finished.reject(payload.error);
    });
    await this.admin.connect();
    await this.consumer.connect();
    await this.consumer.subscribe({ topic, fromBeginning: true });
    await this.consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: concurrency,
      eachBatch: (payload) => this.handle(payload),
    });
  }

  readiness(): string | undefined {
    return this.problem;
  }

  async stop(): Promise<void> {
    if (this.stopping) return this.finished.promise.catch(() => {});
    this.stopping = true;
    await this.consumer.stop();
    await this.lanes.closeAll();
    await Promise.all([this.consumer.disconnect(), this.admin.disconnect()]);
    this.finished.resolve();
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
    // Not resolved unless done: the next owner reads it again, and leaves out what was committed after all.
    const done = await this.tryUntilDone(payload, records, nextOffset, () => isRunning() && !isStale());
    if (!done) return;
    this.problem = undefined;
    resolveOffset(batch.messages.at(-1)?.offset ?? batch.lastOffset());
    this.measures.observe(
      this.options.topic,
      batch.partition,
      records.length,
      Number(batch.highWatermark) - nextOffset,
      started,
    );
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
          await lane.process(records, nextOffset);
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
    const code = codeOf(error);
    this.measures.failures.inc({ code });
    await this.lanes.drop(partition);
    if (isFatal(error)) {
      this.problem = code;
      this.finished.reject(error);
      throw error;
    }
    this.problem = code;
    log.warn({ code, topic, partition, attempt, err: error }, 'a transaction failed and is tried again');
    // Who was fenced may have lost the partition without knowing: only a heartbeat that the group accepts says it has not.
    const waitMs = isFenced(error)
      ? HEARTBEAT_MS + 100
      : Math.min(MAX_PAUSE_MS, 50 * 2 ** attempt) * (0.5 + Math.random() / 2);
    await keepAlive(heartbeat, () => pause(waitMs));
    await heartbeat();
  }
}

/** Heartbeats while the work goes on. A rebalance that shows up meanwhile is thrown after the work is done. */
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

function createMeasures(registry: Registry) {
  const registers = [registry];
  const lag = new Gauge({
    name: 'email_events_consumer_lag',
    help: 'Offsets between the last committed batch and the end of the partition.',
    labelNames: ['topic', 'partition'],
    registers,
  });
  const duration = new Histogram({
    name: 'email_events_transaction_seconds',
    help: 'Time from a batch of records to its committed transaction.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60],
    registers,
  });
  const records = new Counter({
    name: 'email_events_consumed_records_total',
    help: 'Records consumed and committed.',
    registers,
  });
  const failures = new Counter({
    name: 'email_events_transaction_failures_total',
    help: 'Transactions that failed and were tried again, by code.',
    labelNames: ['code'],
    registers,
  });
  return {
    failures,
    observe(topic: string, partition: number, count: number, behind: number, startedMs: number): void {
      lag.set({ topic, partition }, Math.max(0, behind));
      duration.observe((performance.now() - startedMs) / 1_000);
      records.inc(count);
    },
  };
}
