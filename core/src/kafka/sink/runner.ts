import { randomBytes } from 'node:crypto';
import PQueue from 'p-queue';
import { codeOf } from '../../errors.ts';
import { runStopSteps, whenThere } from '../../lifecycle.ts';
import { type Backoff, backoffMs, retry } from '../../retry.ts';
import type { Logger } from '../../telemetry.ts';
import type { Brokers } from '../client/brokers.ts';
import { createBrokers } from '../client/client.ts';
import { keyOf, logBounds, partitionsOfAll, type TopicPartition } from '../client/offsets.ts';
import { AnswerIncomplete, problemOf, reaching } from '../errors.ts';
import { sinkGroup } from '../names.ts';
import type { Assigned } from '../read/assigners.ts';
import { type FetchedBatch, Fetcher } from '../read/fetcher.ts';
import { Lag } from '../read/lag.ts';
import { type Generation as GroupGeneration, Membership } from '../read/membership.ts';
import { Standstill } from '../read/standstill.ts';
import { Assignment, type Generation, laneAssigner, startingPoints } from './assignment.ts';
import type { BatchLane } from './batch-lane.ts';
import { DeadLetters } from './dead-letters.ts';
import type { Entry } from './entry.ts';
import { entriesOf, loadEntries } from './entry.ts';
import { SinkHealth, type SinkMeasures, sinkMeasures } from './health.ts';
import type { LaneContext } from './lane-context.ts';
import { BACKOFF, persist } from './lane-context.ts';
import { LaneLost } from './lane-lost.ts';
import { shareOf, shares } from './pace.ts';
import { SinkFaults } from './poison-records.ts';
import type { RunningSink, SinkRunnerOptions } from './runner-options.ts';

const FETCH_WAIT_MS = 200;
const PARTITION_BYTES = 1_048_576;
/** Fetched batches that are put into buffers at a time: nothing but a wait for a schema takes long. */
const TAKING = 16;
const LOADING: Backoff = { firstMs: 100, longestMs: 1_600 };
/** Together they fit into the half minute that orchestrators wait by default. */
const STOP_MS = 10_000;
const LEAVE_MS = 5_000;
const CLOSE_MS = 2_000;

/**
 * Moves records from topics to a sink, batch by batch and exactly once if the sink deduplicates by batch id: each batch
 * is announced in the commit metadata before it is written, so that the owner of its lane after a crash writes just that
 * batch again. A record is passed only when it is delivered or a dead letter; while the sink is down, partitions wait.
 */
export async function runSink<R>(options: SinkRunnerOptions<R>): Promise<RunningSink> {
  const runner = new Runner(options);
  await runner.start().catch(async (error) => {
    await runner.stop();
    throw error;
  });
  return runner;
}

class Runner<R> implements RunningSink {
  readonly groupId: string;
  readonly readiness: RunningSink['readiness'];
  private readonly options: SinkRunnerOptions<R>;
  private readonly log: Logger;
  private readonly measures: SinkMeasures;
  private readonly brokers: Brokers;
  private readonly member: Membership;
  private readonly fetcher: Fetcher;
  private readonly standstill: Standstill;
  private readonly lag: Lag;
  private readonly deadLetters: DeadLetters;
  private readonly writes: PQueue;
  private readonly faults: SinkFaults;
  private readonly finished = Promise.withResolvers<void>();
  private readonly halt = new AbortController();
  private readonly abort = new AbortController();
  /** The last run of each lane: the next one waits for it. */
  private readonly runs = new Map<string, Promise<void>>();
  private readonly reading = new AbortController();
  private readonly membership = new AbortController();
  private running: Promise<unknown> = Promise.resolve();
  /** Why the last commit did not succeed. */
  private unsettled: string | undefined;
  private generation: Generation<R> | undefined;
  private readonly health: SinkHealth;
  private ownedLanes: string[] = [];
  /** Why a partition's records cannot be read now. */
  private readonly unreadable = new Map<string, string>();
  private stopping: Promise<void> | undefined;

  constructor(options: SinkRunnerOptions<R>) {
    const { kafka, name, log, codec, deadLetterPartitions, concurrency, metrics, topics, replays } = options;
    const { sessionTimeoutMs, requestTimeoutMs } = kafka;
    this.options = options;
    this.log = log;
    this.groupId = sinkGroup(kafka.groupPrefix, name);
    this.measures = sinkMeasures(metrics);
    const brokers = createBrokers(kafka, name, log);
    this.brokers = brokers;
    this.deadLetters = new DeadLetters({
      ...{ brokers, requestTimeoutMs, codec, stage: name, partitions: deadLetterPartitions, log },
    });
    this.writes = new PQueue({ concurrency });
    this.faults = new SinkFaults(options.sink.name, Date.now);
    this.health = new SinkHealth(options.sink, this.halt.signal);
    this.member = new Membership({
      ...{ brokers, groupId: this.groupId, sessionTimeoutMs, log },
      topics: replays ? [...topics, replays] : topics,
      assigner: laneAssigner(options.laneOf, () => this.ownedLanes),
      onJoining: () => this.endGeneration(),
      onAssigned: (assigned, generation) => this.beginGeneration(assigned, generation),
    });
    this.fetcher = new Fetcher({
      ...{ brokers, requestTimeoutMs, concurrency: TAKING },
      ...{ minBytes: 1, maxWaitMs: FETCH_WAIT_MS, maxBytesPerPartition: PARTITION_BYTES },
      onBatch: (batch) => this.accept(batch),
      onGap: (at, from, low) => this.skip(at, from, low),
    });
    this.lag = new Lag({
      metrics,
      places: () => this.fetcher.states(),
      bounds: (partitions) => logBounds(brokers, partitions, 'uncommitted'),
    });
    this.standstill = new Standstill({
      places: () => [...this.fetcher.states(), ...(this.generation?.assignment?.states() ?? [])],
      groupProblem: () => this.member.problem(),
      metrics,
      stuck: (error) => this.fail(error),
    });
    this.readiness = {
      kafka: () => this.kafkaProblem(),
      sink: () => this.health.problem(),
      registry: () => this.unreadable.values().next().value,
      lanes: () => this.health.waitingLanes(),
    };
    this.finished.promise.catch(() => {});
  }

  get done(): Promise<void> {
    return this.finished.promise;
  }

  async start(): Promise<void> {
    const { topics } = this.options;
    const problem = await this.health.problem();
    if (problem) this.log.warn({ code: problem }, 'the sink does not work now; its records wait');
    const there = () => partitionsOfAll(this.brokers, topics, { forMs: 1_000 });
    await whenThere(() => reaching(there), { log: this.log, what: 'kafka' });
    const both = [this.member.run(this.membership.signal), this.fetcher.run(this.reading.signal)];
    for (const one of both) one.catch((error) => this.fail(error));
    this.running = Promise.allSettled(both);
  }

  isCurrent(withinMs: number): boolean {
    const { assignment } = this.generation ?? {};
    const places = this.fetcher.states();
    if (!assignment || places.length === 0 || assignment.buffered() >= this.options.batchRows) return false;
    const since = performance.now() - withinMs;
    return places.every(({ wholeAt }) => wholeAt !== undefined && wholeAt >= since);
  }

  private kafkaProblem(): string | undefined {
    const joined = this.generation?.assignment ? undefined : 'KAFKA_NOT_JOINED';
    return this.member.problem() ?? joined ?? this.unsettled ?? this.standstill.problem();
  }

  stop(): Promise<void> {
    this.stopping ??= this.shutDown();
    return this.stopping;
  }

  private async shutDown(): Promise<void> {
    this.halt.abort();
    this.standstill.stop();
    this.lag.stop();
    this.reading.abort();
    for (const lane of this.generation?.assignment?.lanes.values() ?? []) lane.wake();
    const deadlineMs = this.options.stopMs ?? STOP_MS;
    await runStopSteps(
      [
        { name: 'writes under way', deadlineMs, run: () => Promise.all(this.runs.values()) },
        { name: 'aborting writes', deadlineMs: 100, run: () => this.abort.abort() },
        { name: 'consumer', deadlineMs: LEAVE_MS, run: () => this.leave() },
        { name: 'sink', deadlineMs: CLOSE_MS, run: () => this.options.sink.close() },
      ],
      this.log,
    );
    this.endGeneration();
    this.brokers.close();
    this.finished.resolve();
  }

  private async leave(): Promise<void> {
    this.membership.abort();
    await this.running;
  }

  private fail(error: unknown): void {
    this.log.error({ code: codeOf(error), err: error }, 'the sink cannot go on');
    this.finished.reject(error);
  }

  private endGeneration(): void {
    this.options.onShare?.(undefined);
    this.fetcher.forgetAll();
    this.generation?.lost.abort();
    this.lag.forgetAll();
    this.generation = undefined;
    this.unsettled = undefined;
    this.unreadable.clear();
    this.health.forgetLanes();
  }

  private beginGeneration(assigned: Assigned, group: GroupGeneration): void {
    this.endGeneration();
    if (this.halt.signal.aborted) return;
    const generation: Generation<R> = { lost: new AbortController(), group };
    this.generation = generation;
    this.open(generation, assigned).catch((error) => {
      if (!(error instanceof LaneLost)) this.fail(error);
    });
  }

  /** Reads what was committed, and starts a lane for each that this member owns now. */
  private async open(generation: Generation<R>, assigned: Assigned): Promise<void> {
    const { laneOf, batchRows, batchBytes, flushMs, piecesPerSecond, piecesAheadMs = 0 } = this.options;
    const { signal } = generation.lost;
    const read = async () => ({
      points: await startingPoints(this.brokers, this.groupId, assigned, signal),
      everyMs: await shares(this.brokers, Object.keys(assigned), piecesPerSecond),
      share: await shareOf(this.brokers, this.options.topics, assigned),
    });
    const { points, everyMs, share } = await persist('reading offsets', read, signal, this.log);
    if (signal.aborted) throw new LaneLost();
    const assignment = new Assignment<R>(
      {
        group: this.groupId,
        laneOf,
        limits: { batchRows, batchBytes, flushMs },
        everyMs,
        aheadMs: piecesAheadMs,
        context: this.contextOf(generation),
        newNonce: () => randomBytes(9).toString('base64url'),
        log: this.log,
      },
      points,
    );
    generation.assignment = assignment;
    this.options.onShare?.(share);
    for (const { committed, bounds } of points) {
      if (committed.offset !== null) this.lag.committed(committed, committed.offset);
      this.lag.seen(committed, bounds);
    }
    this.ownedLanes = [...assignment.lanes.keys()];
    for (const lane of assignment.lanes.values()) this.startLane(lane);
    for (const at of assignment.positions()) this.fetcher.begin(at, at.position);
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
      writes: this.writes,
      measures: this.measures,
      faults: this.faults,
      traces: this.options.traces,
      log: this.log,
      now: Date.now,
      backoff: (attempts) => backoffMs(attempts, BACKOFF),
      lost: generation.lost.signal,
      halted: this.halt.signal,
      abort: this.abort.signal,
      commit: async (offsets) => {
        if (generation.lost.signal.aborted) throw new LaneLost();
        try {
          await this.member.commit(generation.group, offsets);
          this.unsettled = undefined;
          if (!generation.lost.signal.aborted) for (const of of offsets) this.lag.committed(of, of.offset);
        } catch (error) {
          this.unsettled = problemOf(error);
          throw error;
        }
      },
      lowOffsets: async (ranges) => {
        const bounds = await logBounds(this.brokers, ranges);
        return ranges.map((range) => {
          const of = bounds.get(keyOf(range));
          if (!of) throw new AnswerIncomplete(keyOf(range));
          return { ...range, start: of.low };
        });
      },
      report: (lane, problem) => this.health.report(lane, problem),
      drained: (lane) => {
        this.measures.buffered.set(generation.assignment?.buffered() ?? 0);
        this.resume(generation, lane);
      },
    };
  }

  private async accept(batch: FetchedBatch): Promise<void> {
    const { records, next } = batch;
    const { generation } = this;
    if (this.halt.signal.aborted) return;
    const assignment = generation?.assignment;
    if (!generation || !assignment) throw new Error(`${keyOf(batch)} was fetched before it was assigned`);
    if (records.length === 0) return assignment.pass(batch, next);
    const entries = entriesOf(records, this.options);
    await this.load(generation, batch, entries);
    // Its reading ended with the generation, so that nothing is passed.
    if (generation.lost.signal.aborted || this.halt.signal.aborted) return;
    assignment.take(batch, entries);
    this.measures.buffered.set(assignment.buffered());
    this.pauseIfFull(assignment, batch);
  }

  private skip(at: TopicPartition, expected: number, low: number): void {
    const { topic, partition } = at;
    this.log.error({ topic, partition, expected, low }, 'retention removed records before they were read');
    this.generation?.assignment?.pass(at, low);
  }

  /** The registry may be away for a while: wait, and stay in the group meanwhile. */
  private async load(
    { lost }: Generation<R>,
    at: TopicPartition,
    entries: readonly Entry<R>[],
  ): Promise<void> {
    const of = keyOf(at);
    const gone = AbortSignal.any([lost.signal, this.halt.signal]);
    const load = async () => {
      if (!gone.aborted) await loadEntries(this.options.reader, entries);
    };
    const onRetry = (error: unknown, attempt: number) => {
      this.unreadable.set(of, codeOf(error));
      this.log.warn({ code: codeOf(error), attempt: attempt - 1 }, 'schemas cannot be read now');
    };
    // Rejects only when the records are another member's by now, or the service stops: they are not read then.
    await retry(load, { backoff: LOADING, signal: gone, retryIf: () => true, onRetry }).catch(() => {});
    this.unreadable.delete(of);
  }

  private pauseIfFull(assignment: Assignment<R>, at: TopicPartition): void {
    const lane = assignment.laneAt(at);
    const { batchRows, batchBytes } = this.options;
    if (!lane || (lane.buffer.rows < batchRows && lane.buffer.bytes < batchBytes)) return;
    this.fetcher.pause(assignment.partitionsThatCanWait(lane.id));
  }

  private resume({ assignment }: Generation<R>, id: string): void {
    if (!assignment || assignment !== this.generation?.assignment) return;
    const lane = assignment.lanes.get(id);
    if (!lane || lane.buffer.rows >= this.options.batchRows || lane.buffer.bytes >= this.options.batchBytes)
      return;
    this.fetcher.resume(assignment.partitionsOf(id));
  }
}
