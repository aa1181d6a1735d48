import type { CommonConfig } from '../../config/index.ts';
import { codeOf } from '../../errors.ts';
import { whenThere } from '../../lifecycle.ts';
import { backoffMs, pause } from '../../retry.ts';
import type { Logger, Registry } from '../../telemetry.ts';
import type { Brokers } from '../client/brokers.ts';
import { createBrokers } from '../client/client.ts';
import { logBounds, partitionsOfAll } from '../client/offsets.ts';
import { isFatal, isFenced, problemOf, reaching } from '../errors.ts';
import { processorGroup } from '../names.ts';
import { type Assigned, roundRobin } from '../read/assigners.ts';
import { type FetchedBatch, Fetcher } from '../read/fetcher.ts';
import { Lag } from '../read/lag.ts';
import { Membership } from '../read/membership.ts';
import { lateOf, Standstill } from '../read/standstill.ts';
import type { LoopState, PartitionTroubles } from './health.ts';
import { LoopMeasures } from './health.ts';
import { Lane, laneClosed } from './lane.ts';
import { IdleCommits, Lanes, Troubles } from './lanes.ts';
import { Notes } from './notes.ts';
import { partitionClient } from './partition-client.ts';
import { Blame, Isolation } from './poison-records.ts';
import { MAX_NOTE, type Stage } from './stage.ts';

export interface TransactionalLoopOptions {
  readonly kafka: CommonConfig['kafka'];
  /** Service name: part of the client id and, after the group prefix, the consumer group. */
  readonly name: string;
  readonly topic: string;
  /** Partitions handled at a time. */
  readonly concurrency: number;
  readonly createStage: (partition: number) => Stage;
  readonly log: Logger;
  readonly metrics: Registry;
}

export interface TransactionalLoop extends LoopState {
  readonly groupId: string;
  /** Finishes the batches under way and leaves the group. */
  stop(): Promise<void>;
  /** Resolves after stop; rejects when it cannot go on. */
  readonly done: Promise<void>;
}

/**
 * A transaction costs some milliseconds however little it carries. A record that comes alone is processed at once; resting after it, for
 * so long or until there is this much, keeps a trickle of records from becoming a flood of transactions.
 */
const REST = { ms: 50, unlessBytes: 65_536 };
const FETCH_WAIT_MS = 100;
const PARTITION_BYTES = 1_048_576;
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 5_000;
/** Only a new version repairs a fault of the service, unless memory was short. */
const MAX_HALTED_PAUSE_MS = 30_000;
const ENDS_FOR_MS = 2_000;
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
  private readonly brokers: Brokers;
  private readonly member: Membership;
  private readonly fetcher: Fetcher;
  private readonly lanes: Lanes;
  private readonly standstill: Standstill;
  private readonly measures: LoopMeasures;
  private readonly lag: Lag;
  private readonly blame = new Blame({ halted: (why) => this.halt(why), resumed: () => this.resume() });
  private readonly notes = new Notes(() => this.noteRefused());
  private readonly isolations = new Map<number, Isolation>();
  private readonly idle = new IdleCommits((partition, nextOffset) => this.commitIdle(partition, nextOffset));
  private readonly finished = Promise.withResolvers<void>();
  private readonly reading = new AbortController();
  private readonly membership = new AbortController();
  private running: Promise<unknown> = Promise.resolve();
  private stopping = false;
  private readonly troubles = new Troubles();
  private readonly beginning = new Set<number>();
  private assigned: readonly number[] = [];

  constructor(options: TransactionalLoopOptions) {
    this.options = options;
    const { kafka: settings, name, log, topic, concurrency } = options;
    const { sessionTimeoutMs, requestTimeoutMs } = settings;
    this.groupId = processorGroup(settings.groupPrefix, name);
    const brokers = createBrokers(settings, name, log);
    this.brokers = brokers;
    this.member = new Membership({
      ...{ brokers, groupId: this.groupId, topics: [topic], assigner: roundRobin, sessionTimeoutMs, log },
      onJoining: () => {},
      onAssigned: (assigned) => this.assign(assigned),
    });
    this.fetcher = new Fetcher({
      ...{ brokers, requestTimeoutMs, concurrency, rest: REST },
      minBytes: 1,
      maxWaitMs: FETCH_WAIT_MS,
      maxBytesPerPartition: PARTITION_BYTES,
      onBatch: (batch) => this.handle(batch),
      onGap: (at, from, low) =>
        log.error({ ...at, expected: from, low }, 'retention removed records before they were read'),
    });
    this.standstill = new Standstill({
      places: () => this.fetcher.states(),
      groupProblem: () => this.member.problem(),
      metrics: options.metrics,
      stuck: (error) => this.finished.reject(error),
    });
    this.lanes = new Lanes((partition) => this.makeLane(partition), log);
    this.measures = new LoopMeasures(options.metrics);
    this.lag = new Lag({
      metrics: options.metrics,
      places: () => this.fetcher.states(),
      bounds: (partitions) => logBounds(brokers, partitions, 'uncommitted', { forMs: ENDS_FOR_MS }),
    });
    this.finished.promise.catch(() => {});
  }

  get done(): Promise<void> {
    return this.finished.promise;
  }

  async start(): Promise<void> {
    const { topic, log } = this.options;
    // The broker was there a moment ago; it may be away by now.
    const asking = () => reaching(() => partitionsOfAll(this.brokers, [topic], { forMs: 1_000 }));
    const partitions = await whenThere(asking, { log, what: 'kafka' });
    this.measures.partitions.set({ topic }, partitions.length);
    const both = [this.member.run(this.membership.signal), this.fetcher.run(this.reading.signal)];
    for (const one of both) one.catch((error) => this.finished.reject(error));
    this.running = Promise.allSettled(both);
  }

  problems(): readonly string[] {
    const halted = this.blame.isHalted ? 'PROCESSOR_HALTED' : undefined;
    return [halted, this.member.problem()].filter((code) => code !== undefined);
  }

  partitions(): PartitionTroubles {
    const troubled = new Map<string, string>();
    for (const { topic, partition, problem } of lateOf(this.fetcher.states()))
      troubled.set(`${topic}/${partition}`, problem ?? 'KAFKA_READ_STALLED');
    for (const [partition, code] of this.troubles.codes)
      troubled.set(`${this.options.topic}/${partition}`, code);
    return { assigned: this.assigned.length, troubled };
  }

  isOpening(): boolean {
    return this.lanes.isOpening();
  }

  async stop(): Promise<void> {
    if (this.stopping) return this.finished.promise.catch(() => {});
    this.stopping = true;
    this.standstill.stop();
    this.lag.stop();
    this.reading.abort();
    this.idle.forgetAll();
    this.lanes.abandonOpening();
    await this.lanes.closeAll();
    this.membership.abort();
    await this.running;
    this.brokers.close();
    this.finished.resolve();
  }

  private assign(all: Assigned): void {
    const partitions = all[this.options.topic] ?? [];
    const { topic } = this.options;
    for (const partition of this.assigned) {
      if (partitions.includes(partition)) continue;
      this.fetcher.forget({ topic, partition });
      this.troubles.forget(partition);
      this.idle.forget(partition);
      this.lag.forget({ topic, partition });
      this.isolations.delete(partition);
      this.blame.forget(partition);
    }
    this.assigned = partitions;
    if (this.stopping) return;
    this.lanes.assign(partitions);
    for (const partition of partitions)
      if (!this.fetcher.has({ topic, partition })) void this.begin(partition);
  }

  private isMine(partition: number): boolean {
    return !this.stopping && this.assigned.includes(partition);
  }

  /** Opens the partition's lane, as often as it takes, and has it read from where the lane begins. */
  private async begin(partition: number): Promise<void> {
    if (this.beginning.has(partition)) return;
    this.beginning.add(partition);
    while (this.isMine(partition)) {
      const opening = this.lanes.get(partition);
      try {
        const { position } = await opening;
        if (this.lanes.existing(partition) !== opening || !this.isMine(partition)) continue;
        this.lag.committed({ topic: this.options.topic, partition }, position);
        this.fetcher.begin({ topic: this.options.topic, partition }, position);
        if (this.isHaltedFor(partition)) this.fetcher.pause([{ topic: this.options.topic, partition }]);
        // A partition that halts still has its trouble: its record is only tried again.
        if (!this.blame.isHalting(partition)) this.troubles.opened(partition);
        break;
      } catch (error) {
        // It was closed meanwhile: the next one is another lane.
        if (this.lanes.existing(partition) !== opening) continue;
        if (!(await this.afterFailure(error, partition, 'a partition cannot be opened now'))) break;
      }
    }
    this.beginning.delete(partition);
  }

  private makeLane(partition: number): Lane {
    const { topic, createStage, kafka: settings, name, log } = this.options;
    const client = partitionClient({
      ...{ settings, service: name, log, groupId: this.groupId, topic, partition },
      transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
      restoreIdleMs: RESTORE_IDLE_MS,
    });
    const isolation = this.isolations.get(partition) ?? new Isolation();
    this.isolations.set(partition, isolation);
    return new Lane({
      ...{ client, partition, isolation },
      stage: createStage(partition),
      blame: this.blame,
      notes: this.notes,
      watch: {
        committed: (records, position, ms) => {
          const [oldest] = records;
          if (oldest) this.measures.committed(records.length, ms, oldest.timestamp);
          if (this.isMine(partition)) this.lag.committed({ topic, partition }, position);
        },
        setAside: ({ offset }, { error, attempts }) => {
          const at = { topic, partition, offset };
          log.error({ code: codeOf(error), ...at, attempts }, 'the work on a record fails: a dead letter');
        },
      },
    });
  }

  private async handle({ partition, records, next, end }: FetchedBatch): Promise<void> {
    // Only markers: no record to process, and nothing to commit before the partition has gone quiet.
    if (records.length === 0) return this.idle.passed(partition, next);
    this.idle.forget(partition);
    try {
      const lane = await this.lanes.existing(partition);
      // Returning would pass the batch.
      if (!lane) throw laneClosed();
      await lane.process(records, next, end);
    } catch (error) {
      // Not waited for: others' batches have their turn meanwhile.
      void this.recover(error, partition);
      return;
    }
    this.troubles.forget(partition);
    if (this.isHaltedFor(partition)) this.fetcher.pause([{ topic: this.options.topic, partition }]);
  }

  /** Others wait until the records that halt them go through. */
  private isHaltedFor(partition: number): boolean {
    return this.blame.isHalted && !this.blame.isHalting(partition);
  }

  private halt(why: string): void {
    const { log, topic } = this.options;
    this.measures.halted.set(1);
    log.error({ code: 'PROCESSOR_HALTED', topic }, `all partitions halt: ${why}`);
    this.fetcher.pause(this.assigned.map((partition) => ({ topic, partition })));
  }

  private resume(): void {
    const { log, topic } = this.options;
    this.measures.halted.set(0);
    log.warn(
      { topic },
      'the record that halted all partitions went through, or is another instance’s: they go on',
    );
    this.fetcher.resume(this.assigned.map((partition) => ({ topic, partition })));
  }

  private noteRefused(): void {
    this.options.log.error(
      { code: 'OFFSET_METADATA_TOO_LARGE', topic: this.options.topic },
      `the brokers refuse notes of up to ${MAX_NOTE} characters beside positions (offset.metadata.max.bytes): what is counted there is not kept over a restart`,
    );
  }

  /** Nothing of it is passed: a new lane says where its reading begins again. */
  private async recover(error: unknown, partition: number): Promise<void> {
    this.fetcher.forget({ topic: this.options.topic, partition });
    if (!this.isMine(partition)) return;
    if (await this.afterFailure(error, partition, 'a transaction failed and is tried again'))
      void this.begin(partition);
  }

  /** Closes the lane, and waits before the next one. False: there is to be none. */
  private async afterFailure(error: unknown, partition: number, what: string): Promise<boolean> {
    const { log, topic } = this.options;
    const code = problemOf(error);
    const attempt = this.troubles.failed(partition, code);
    this.measures.failures.inc({ code });
    const dropped = this.lanes.drop(partition);
    if (isFatal(error)) {
      this.finished.reject(error);
      return false;
    }
    log.warn({ code, topic, partition, attempt, err: error }, what);
    await dropped;
    // A fenced member may have lost the partition without knowing: only an answer of the group says that it has not.
    if (isFenced(error) && !(await this.member.confirmed())) return false;
    const longestMs = this.blame.isHalting(partition) ? MAX_HALTED_PAUSE_MS : MAX_PAUSE_MS;
    await pause(backoffMs(attempt + 1, { firstMs: FIRST_PAUSE_MS, longestMs }), undefined, false);
    return true;
  }

  /** Best effort: the next batch, or the next marker, commits it as well. */
  private async commitIdle(partition: number, nextOffset: number): Promise<void> {
    try {
      const lane = await this.lanes.existing(partition);
      if (!lane || this.stopping) return;
      await lane.process([], nextOffset);
    } catch (error) {
      const code = codeOf(error);
      this.options.log.debug({ code, topic: this.options.topic, partition }, 'an idle commit failed');
      await this.recover(error, partition);
    }
  }
}
