import { randomBytes } from 'node:crypto';
import type { Codec } from '@email-events/schemas';
import type { Admin, Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import type { PipelineConfig } from '../../config/index.ts';
import { codeOf } from '../../errors.ts';
import { runStopSteps } from '../../lifecycle.ts';
import type { Logger } from '../../log.ts';
import type { Registry } from '../../metrics.ts';
import type { Sink } from '../../sink.ts';
import { whenThere } from '../../start-up.ts';
import { createKafka } from '../client.ts';
import { reaching } from '../crash.ts';
import { keepCommitted } from '../out-of-range.ts';
import { Rejoin } from '../rejoin.ts';
import { Assignment, type TopicPartition } from './assignment.ts';
import type { BatchLane, LaneContext } from './batch-lane.ts';
import { DeadLetters } from './dead-letters.ts';
import { backoffMs, LaneLost, pauseFor, persist, Slots } from './delivery.ts';
import type { Entry, RecordReader } from './entry.ts';
import { SinkHealth } from './health.ts';
import { partitionKey } from './intent.ts';
import { type LaneOf, laneAssigner } from './lane-assigner.ts';
import type { BufferLimits } from './lane-buffer.ts';
import { type SinkMeasures, sinkMeasures } from './measures.ts';
import { offsetsByTopic, readOffsets } from './offsets.ts';
import { entriesOf, loadEntries } from './replays.ts';

export interface SinkRunnerOptions<R> extends BufferLimits {
  readonly kafka: PipelineConfig['kafka'];
  readonly deadLetterPartitions: number;
  readonly codec: Codec;
  /** Service name: part of the client id, stage of its dead letters and, after the group prefix, the consumer group. */
  readonly name: string;
  readonly topics: readonly string[];
  /** Topic by which records come back that a sink refused; its lanes are those that laneOf says. */
  readonly replays?: string;
  /** Records of one lane are batched together and written in order. */
  readonly laneOf: LaneOf;
  readonly reader: RecordReader<R>;
  readonly sink: Sink<R>;
  /** Writes at a time. */
  readonly concurrency: number;
  /** Time for writes under way when it is stopped; then they are aborted. */
  readonly stopMs?: number;
  readonly metrics: Registry;
  readonly log: Logger;
}

export interface RunningSink {
  readonly groupId: string;
  /** By dependency; undefined when it works, else the code of what keeps it from working. */
  readonly readiness: {
    readonly kafka: () => string | undefined;
    readonly sink: () => Promise<string | undefined>;
    /** Schemas are asked for once each: this is wrong only while a record waits for one. */
    readonly registry: () => string | undefined;
  };
  /** Ends the writes under way and leaves the group; what is not written is left to the next owner. */
  stop(): Promise<void>;
  /** Resolves after stop; rejects when it cannot go on. */
  readonly done: Promise<void>;
}

const HEARTBEAT_MS = 3_000;
const FETCH_WAIT_MS = 200;
/** Together they fit into the half minute that orchestrators wait by default. */
const STOP_MS = 10_000;
const LEAVE_MS = 5_000;
const CLOSE_MS = 2_000;

/**
 * Moves records from topics to a sink, batch by batch and exactly once if the sink deduplicates by batch id: each batch
 * is announced in the commit metadata before it is written, so that whoever owns its lane after a crash writes just that
 * batch again. A record is passed only when it is delivered or a dead letter; while the sink is down, partitions wait.
 */
export async function runSink<R>(options: SinkRunnerOptions<R>): Promise<RunningSink> {
  const runner = new Runner(options);
  await runner.start();
  return runner;
}

class Runner<R> implements RunningSink {
  readonly groupId: string;
  readonly readiness: RunningSink['readiness'];
  private readonly options: SinkRunnerOptions<R>;
  private readonly log: Logger;
  private readonly measures: SinkMeasures;
  private readonly kafka: Kafka;
  private readonly admin: Admin;
  private readonly consumer: Consumer;
  private readonly deadLetters: DeadLetters;
  private readonly slots: Slots;
  private readonly finished = Promise.withResolvers<void>();
  private readonly halt = new AbortController();
  private readonly abort = new AbortController();
  /** The last run of each lane: the next one waits for it. */
  private readonly runs = new Map<string, Promise<void>>();
  private readonly rejoin: Rejoin;
  private generation: Generation<R> | undefined;
  private readonly health: SinkHealth;
  private ownedLanes: string[] = [];
  /** Why a partition's records cannot be read now. */
  private readonly unreadable = new Map<string, string>();
  private stopping: Promise<void> | undefined;

  constructor(options: SinkRunnerOptions<R>) {
    const { kafka, name, log, codec, deadLetterPartitions, concurrency, metrics } = options;
    this.options = options;
    this.log = log;
    this.groupId = `${kafka.groupPrefix}-${name}`;
    keepCommitted(this.groupId);
    this.measures = sinkMeasures(metrics);
    this.kafka = createKafka(kafka, name, log);
    this.admin = this.kafka.admin();
    this.deadLetters = new DeadLetters(this.kafka, codec, name, deadLetterPartitions, log);
    this.slots = new Slots(concurrency);
    this.health = new SinkHealth(options.sink, this.halt.signal);
    this.consumer = this.kafka.consumer({
      groupId: this.groupId,
      sessionTimeout: kafka.sessionTimeoutMs,
      heartbeatInterval: Math.min(HEARTBEAT_MS, Math.floor(kafka.sessionTimeoutMs / 3)),
      maxWaitTimeInMs: FETCH_WAIT_MS,
      allowAutoTopicCreation: false,
      retry: { restartOnFailure: Rejoin.byOurselves },
      partitionAssigners: [
        laneAssigner(options.laneOf, {
          onJoining: () => this.endGeneration(),
          owned: () => this.ownedLanes,
        }),
      ],
    });
    this.rejoin = new Rejoin({
      log,
      stopped: this.halt.signal,
      failed: (error) => this.fail(error),
      start: async () => {
        await this.consumer.connect();
        await this.consume();
      },
    });
    this.readiness = {
      kafka: () => (this.generation ? undefined : 'KAFKA_UNREACHABLE'),
      sink: () => this.health.problem(),
      registry: () => this.unreadable.values().next().value,
    };
    this.finished.promise.catch(() => {});
  }

  get done(): Promise<void> {
    return this.finished.promise;
  }

  async start(): Promise<void> {
    const { topics, replays } = this.options;
    const problem = await this.health.problem();
    if (problem) this.log.warn({ code: problem }, 'the sink does not work now; its records wait');
    const connect = async () => {
      await this.admin.connect();
      await this.consumer.connect();
      const all = replays ? [...topics, replays] : [...topics];
      await this.consumer.subscribe({ topics: all, fromBeginning: true });
    };
    await whenThere(() => reaching(connect), { log: this.log, what: 'kafka' });
    const { GROUP_JOIN, CRASH, END_BATCH_PROCESS } = this.consumer.events;
    this.consumer.on(GROUP_JOIN, ({ payload }) => this.beginGeneration(payload.memberAssignment));
    this.consumer.on(CRASH, ({ payload }) => {
      this.endGeneration();
      this.rejoin.crashed(payload.error);
    });
    this.consumer.on(END_BATCH_PROCESS, ({ payload }) => {
      if (payload.batchSize > 0) return;
      this.generation?.assignment?.pass(payload, Number(payload.firstOffset), Number(payload.lastOffset));
    });
    await this.consume();
  }

  private consume(): Promise<void> {
    return this.consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: (payload) => this.accept(payload),
    });
  }

  stop(): Promise<void> {
    this.stopping ??= this.shutDown();
    return this.stopping;
  }

  private async shutDown(): Promise<void> {
    this.halt.abort();
    for (const lane of this.generation?.assignment?.lanes.values() ?? []) lane.wake();
    const deadlineMs = this.options.stopMs ?? STOP_MS;
    await runStopSteps(
      [
        { name: 'writes under way', deadlineMs, run: () => Promise.all(this.runs.values()) },
        { name: 'aborting writes', deadlineMs: 100, run: () => this.abort.abort() },
        { name: 'consumer', deadlineMs: LEAVE_MS, run: () => this.consumer.disconnect() },
        { name: 'dead letters', deadlineMs: CLOSE_MS, run: () => this.deadLetters.close() },
        { name: 'admin client', deadlineMs: CLOSE_MS, run: () => this.admin.disconnect() },
        { name: 'sink', deadlineMs: CLOSE_MS, run: () => this.options.sink.close() },
      ],
      this.log,
    );
    this.endGeneration();
    this.finished.resolve();
  }

  private fail(error: unknown): void {
    this.log.error({ code: codeOf(error), err: error }, 'the sink cannot go on');
    this.finished.reject(error);
  }

  private endGeneration(): void {
    this.generation?.lost.abort();
    this.generation = undefined;
    this.health.forgetLanes();
  }

  private beginGeneration(assigned: { [topic: string]: number[] }): void {
    this.rejoin.joined();
    this.endGeneration();
    const generation: Generation<R> = { lost: new AbortController(), opened: Promise.resolve() };
    this.generation = generation;
    generation.opened = this.open(generation, assigned);
    generation.opened.catch((error) => {
      if (!(error instanceof LaneLost)) this.fail(error);
    });
  }

  /** Reads what was committed, and starts a lane for each that this member owns now. */
  private async open(generation: Generation<R>, assigned: { [topic: string]: number[] }): Promise<void> {
    const { laneOf, batchRows, batchBytes, flushMs } = this.options;
    const { signal } = generation.lost;
    const topics = Object.keys(assigned);
    const read = () => readOffsets(this.admin, this.groupId, topics);
    const { committed, boundsOf } = await persist('reading offsets', read, signal, this.log);
    if (signal.aborted) throw new LaneLost();
    const mine = committed.filter(({ topic, partition }) => assigned[topic]?.includes(partition));
    generation.assignment = new Assignment<R>(
      {
        group: this.groupId,
        laneOf,
        limits: { batchRows, batchBytes, flushMs },
        context: this.contextOf(generation),
        newNonce: () => randomBytes(9).toString('base64url'),
        log: this.log,
      },
      mine,
      boundsOf,
    );
    this.ownedLanes = [...generation.assignment.lanes.keys()];
    this.consumer.resume(this.consumer.paused());
    for (const lane of generation.assignment.lanes.values()) this.startLane(lane);
  }

  private startLane(lane: BatchLane<R>): void {
    const previous = this.runs.get(lane.id) ?? Promise.resolve();
    const run = previous.then(() => lane.run());
    this.runs.set(
      lane.id,
      run.catch((error) => this.fail(error)),
    );
  }

  private contextOf(generation: Generation<R>): LaneContext<R> {
    return {
      sink: this.options.sink,
      deadLetters: this.deadLetters,
      slots: this.slots,
      measures: this.measures,
      log: this.log,
      now: Date.now,
      lost: generation.lost.signal,
      halted: this.halt.signal,
      abort: this.abort.signal,
      commit: async (offsets) => {
        // Checked where the request is made: once the next generation has begun, its commits would pass for ours.
        if (generation.lost.signal.aborted) throw new LaneLost();
        const request = offsetsByTopic(offsets);
        if (generation.commit) await generation.commit(request);
        // Before the first fetch there is nothing to announce, and this one may silently do nothing while it stops.
        else await this.consumer.commitOffsets(request.topics.flatMap(flatOffsets));
      },
      lowOffsets: async (ranges) => {
        const names = new Set(ranges.map(({ topic }) => topic));
        const { boundsOf } = await readOffsets(this.admin, this.groupId, [...names]);
        return ranges.map((range) => ({ ...range, start: boundsOf(range)?.low ?? range.start }));
      },
      report: (lane, problem) => this.health.report(lane, problem),
      drained: (lane) => {
        this.measures.buffered.set(generation.assignment?.buffered() ?? 0);
        this.resume(generation, lane);
      },
    };
  }

  private async accept(payload: EachBatchPayload): Promise<void> {
    const { batch, resolveOffset } = payload;
    const { generation } = this;
    if (!generation || this.halt.signal.aborted) return;
    await generation.opened.catch(() => {});
    const { assignment } = generation;
    if (!assignment?.laneAt(batch)) return;
    generation.commit ??= payload.commitOffsetsIfNecessary;
    if (await this.seekInstead(assignment, batch)) return;
    const entries = entriesOf(batch, this.options);
    await this.load(payload, entries);
    if (generation.lost.signal.aborted) return;
    const { topic, partition, messages } = batch;
    assignment.take(batch, entries);
    const last = messages.at(-1);
    if (last) resolveOffset(last.offset);
    this.measures.lag.set({ topic, partition }, Number(batch.offsetLag()));
    this.measures.buffered.set(assignment.buffered());
    this.pauseIfFull(generation, batch);
  }

  private async seekInstead(assignment: Assignment<R>, batch: EachBatchPayload['batch']): Promise<boolean> {
    const { topic, partition } = batch;
    const offset = await assignment.offsetToSeek(batch, async () => {
      const { boundsOf } = await readOffsets(this.admin, this.groupId, [topic]);
      return boundsOf(batch) ?? { low: 0, high: 0 };
    });
    if (offset === undefined) return false;
    this.consumer.seek({ topic, partition, offset: String(offset) });
    return true;
  }

  /** The registry may be away for a while: wait, and stay in the group meanwhile. */
  private async load(
    { batch, heartbeat, isRunning }: EachBatchPayload,
    entries: readonly Entry<R>[],
  ): Promise<void> {
    const of = partitionKey(batch);
    for (let attempt = 0; isRunning(); attempt++) {
      try {
        await loadEntries(this.options.reader, entries);
        break;
      } catch (error) {
        this.unreadable.set(of, codeOf(error));
        this.log.warn({ code: codeOf(error), attempt }, 'schemas cannot be read now');
      }
      await heartbeat();
      await pauseFor(backoffMs(Math.min(attempt, 4)), this.halt.signal).catch(() => {});
    }
    this.unreadable.delete(of);
  }

  private pauseIfFull(generation: Generation<R>, at: EachBatchPayload['batch']): void {
    const lane = generation.assignment?.laneAt(at);
    const { batchRows, batchBytes } = this.options;
    if (!lane || (lane.buffer.rows < batchRows && lane.buffer.bytes < batchBytes)) return;
    this.consumer.pause(selectorsOf(generation.assignment?.partitionsOf(lane.id) ?? []));
  }

  private resume(generation: Generation<R>, lane: string): void {
    if (generation !== this.generation || !generation.assignment) return;
    const { rows, bytes } = generation.assignment.lanes.get(lane)?.buffer ?? { rows: 0, bytes: 0 };
    if (rows >= this.options.batchRows || bytes >= this.options.batchBytes) return;
    this.consumer.resume(selectorsOf(generation.assignment.partitionsOf(lane)));
  }
}

/** From one join of the group to the next. */
interface Generation<R> {
  readonly lost: AbortController;
  opened: Promise<void>;
  assignment?: Assignment<R>;
  commit?: (offsets: ReturnType<typeof offsetsByTopic>) => Promise<void>;
}

const selectorsOf = (partitions: readonly TopicPartition[]) =>
  partitions.map(({ topic, partition }) => ({ topic, partitions: [partition] }));

const flatOffsets = ({ topic, partitions }: ReturnType<typeof offsetsByTopic>['topics'][number]) =>
  partitions.map((offset) => ({ topic, ...offset }));
