import { codeOf, PipelineError } from '../../errors.ts';
import type { Logger } from '../../telemetry.ts';
import type { Brokers } from '../client/brokers.ts';
import { createBrokers, type KafkaSettings } from '../client/client.ts';
import { keyOf, logBounds, partitionsOfAll } from '../client/offsets.ts';
import { AnswerIncomplete, isRetriable, isTopicUnknown, unreachable } from '../errors.ts';
import type { InputRecord } from '../records.ts';
import { Fetcher } from './fetcher.ts';

export interface FollowOptions {
  readonly topic: string;
  /** Part of the client id. */
  readonly name: string;
  readonly log: Logger;
  /**
   * Takes the records of one partition, in order and one call at a time. Its rejection ends the following with that error, so it waits by
   * itself for what it needs.
   */
  onRecords(records: readonly InputRecord[]): Promise<void>;
}

/** How far a follower has come. */
export interface FollowState {
  /** Offsets that are acknowledged and were not handed over yet, as of the last answers; they count markers of transactions too. */
  readonly behind: number;
  /** Everything that was committed by then has been handed over; undefined until the first time. Monotonic milliseconds. */
  readonly wholeAt: number | undefined;
  /** Why a partition cannot be read now. */
  readonly problem: string | undefined;
}

export interface TopicFollower {
  /** Whether everything has been handed over that the topic had when the following began. */
  readonly caughtUp: boolean;
  state(): FollowState;
  /** Rejects with what no waiting changes, such as KAFKA_LOG_TRUNCATED; resolves after `stop`. */
  readonly done: Promise<void>;
  stop(): Promise<void>;
}

const MAX_WAIT_MS = 100;
const PARTITION_BYTES = 1_048_576;
/** Partitions that are added to the topic are found within this time. */
const LOOK_MS = 30_000;
/** Of several brokers one may not have heard of a topic yet that was made just now. */
const ASK_MS = 3_000;

/**
 * Reads all partitions of a topic from the beginning and goes on with what is written later, committed records only. It is in no
 * consumer group: each follower has the whole topic. A leader that moves is followed.
 * Throws KAFKA_UNREACHABLE, KAFKA_TOPIC_MISSING.
 */
export async function followTopic(settings: KafkaSettings, options: FollowOptions): Promise<TopicFollower> {
  const brokers = createBrokers(settings, options.name, options.log);
  try {
    const following = new Following(brokers, settings, options);
    await following.begin();
    return following;
  } catch (error) {
    brokers.close();
    if (isTopicUnknown(error))
      throw new PipelineError('KAFKA_TOPIC_MISSING', 'fatal', `no such topic: ${options.topic}`);
    throw unreachable(error, settings) ?? error;
  }
}

class Following implements TopicFollower {
  readonly done: Promise<void>;
  private readonly brokers: Brokers;
  private readonly options: FollowOptions;
  private readonly fetcher: Fetcher;
  private readonly over = new AbortController();
  private readonly ended = Promise.withResolvers<void>();
  /** Partitions that have not come to where they ended at the start. */
  private readonly goals = new Map<string, number>();
  private timer: NodeJS.Timeout | undefined;

  constructor(brokers: Brokers, settings: KafkaSettings, options: FollowOptions) {
    this.brokers = brokers;
    this.options = options;
    this.done = this.ended.promise;
    this.done.catch(() => {});
    this.fetcher = new Fetcher({
      brokers,
      requestTimeoutMs: settings.requestTimeoutMs,
      ...{ minBytes: 1, maxWaitMs: MAX_WAIT_MS, maxBytesPerPartition: PARTITION_BYTES, concurrency: 1 },
      onBatch: async ({ topic, partition, records, next }) => {
        if (records.length > 0) await options.onRecords(records);
        this.reached(keyOf({ topic, partition }), next);
      },
      // What was removed is in no other follower either that begins now.
      onGap: ({ partition }, from, low) =>
        options.log.warn(
          { topic: options.topic, partition, from, low },
          'records were removed before they were read',
        ),
    });
  }

  async begin(): Promise<void> {
    await this.add();
    this.fetcher.run(this.over.signal).then(this.ended.resolve, this.ended.reject);
    this.timer = setInterval(() => void this.look(), LOOK_MS).unref();
  }

  get caughtUp(): boolean {
    return this.goals.size === 0;
  }

  state(): FollowState {
    const places = this.fetcher.states();
    let behind = 0;
    let wholeAt: number | undefined = Number.POSITIVE_INFINITY;
    for (const place of places) {
      behind += Math.max(0, (place.end ?? this.goals.get(keyOf(place)) ?? place.position) - place.position);
      if (wholeAt !== undefined) wholeAt = place.wholeAt && Math.min(wholeAt, place.wholeAt);
    }
    const problem = places.find((place) => place.problem !== undefined)?.problem;
    return { behind, wholeAt: places.length > 0 ? wholeAt : undefined, problem };
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.over.abort();
    await this.done.catch(() => {});
    this.brokers.close();
  }

  /** Begins with the partitions that are not read yet. */
  private async add(): Promise<void> {
    const all = await partitionsOfAll(this.brokers, [this.options.topic], { forMs: ASK_MS });
    const added = all.filter((of) => !this.fetcher.has(of));
    if (added.length === 0 || this.over.signal.aborted) return;
    const bounds = await logBounds(this.brokers, added, 'uncommitted');
    for (const of of added) {
      const log = bounds.get(keyOf(of));
      if (!log) throw new AnswerIncomplete(keyOf(of));
      if (log.low < log.high) this.goals.set(keyOf(of), log.high);
      this.fetcher.begin(of, log.low);
    }
  }

  /** Looks for partitions that were added. What goes wrong with it goes wrong with fetches too, which say so. */
  private async look(): Promise<void> {
    try {
      await this.add();
    } catch (error) {
      if (!this.over.signal.aborted && !isRetriable(error))
        this.options.log.warn({ code: codeOf(error) }, 'partitions cannot be looked for');
    }
  }

  private reached(key: string, next: number): void {
    const goal = this.goals.get(key);
    if (goal !== undefined && next >= goal) this.goals.delete(key);
  }
}
