import PQueue from 'p-queue';
import { pause } from '../../retry.ts';
import type { Brokers } from '../client/brokers.ts';
import { keyOf, type TopicPartition } from '../client/offsets.ts';
import { isOffsetOutOfRange, isRetriable, problemOf } from '../errors.ts';
import { createErrorFromCode } from '../kafkajs/kafkajs.ts';
import type { InputRecord } from '../records.ts';
import { type FetchedPartition, type FetchLimits, fetchFrom } from './fetch-request.ts';
import { afterGap } from './log-truncation.ts';
import { type DecodedRecords, decodeRecords } from './record-batches.ts';

/** The records that one fetch brought of one partition. */
export interface FetchedBatch extends TopicPartition {
  /** May be none: then only markers, or what was aborted or compacted, lies between `from` and `next`. */
  readonly records: readonly InputRecord[];
  readonly from: number;
  readonly next: number;
  /** Offset behind everything that was acknowledged when it was fetched. */
  readonly end: number;
}

export interface FetcherOptions extends FetchLimits {
  readonly brokers: Brokers;
  /** Longest time for an answer that is large or slow. Milliseconds. */
  readonly requestTimeoutMs: number;
  /** Batches that are handled at a time; of one partition it is always one. */
  readonly concurrency: number;
  /** Without it a broker is asked again at once. */
  readonly rest?: FetchRest;
  /** Resolves when the next batch of the partition may come. Its rejection ends the fetcher. */
  onBatch(batch: FetchedBatch): Promise<void>;
  /** Records before this offset are gone, although they were not read yet. */
  onGap?(at: TopicPartition, from: number, low: number): void;
}

/**
 * A broker is left alone for so long after an answer, so that more comes together until the next one; whatever comes after a
 * longer silence is fetched at once. Where a batch costs the same however little it carries, this bounds the batches a second.
 */
export interface FetchRest {
  /** Counted from the answer: time in which its records are handled is part of it. Milliseconds. */
  readonly ms: number;
  /** No rest after an answer of so many bytes: there is enough to do. */
  readonly unlessBytes: number;
}

/** A partition that is being read. */
interface Place extends TopicPartition {
  position: number;
  end: number | undefined;
  busy: boolean;
  paused: boolean;
  notBefore: number;
  pauseMs: number;
  problem: string | undefined;
  progressAt: number;
  wholeAt: number | undefined;
  current: boolean;
}

/** How one of its partitions is read. */
export interface PlaceState extends TopicPartition {
  readonly position: number;
  /** As of the last fetch; undefined before the first. */
  readonly end: number | undefined;
  /** Its reader has enough for now, or is at work on it. */
  readonly waiting: boolean;
  /** Why it cannot be read now. */
  readonly problem: string | undefined;
  /** When something of it was last read, or it was at its end. Monotonic milliseconds. */
  readonly progressAt: number;
  /** Everything that was committed by then has been read; undefined while that is of no time. Monotonic milliseconds. */
  readonly wholeAt?: number | undefined;
}

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 250;
const IDLE_MS = 1_000;
/** An answer that is later than its wait by so much is given up; after one that was slow, or given up, by twice as much. */
const FIRST_PATIENCE_MS = 3_000;

/**
 * Reads partitions from their leaders, one fetch a broker at a time, each partition from where it is told to begin. A leader that moves
 * is followed; nothing else changes by it. Needs no group.
 */
export class Fetcher {
  private readonly options: FetcherOptions;
  private readonly places = new Map<string, Place>();
  private readonly fetching = new Set<number>();
  private readonly patience = new Map<number, number>();
  private readonly handling: PQueue;
  private readonly ended = Promise.withResolvers<never>();
  private wake = Promise.withResolvers<void>();
  /** Leaders are asked for again, not before this time. */
  private stale: number | undefined;
  private refreshing = false;
  private turn = 0;

  constructor(options: FetcherOptions) {
    this.options = options;
    this.handling = new PQueue({ concurrency: options.concurrency });
    this.ended.promise.catch(() => {});
  }

  /** Reads the partition from this offset on, wherever its reading was before. */
  begin(at: TopicPartition, position: number): void {
    this.forget(at);
    const { topic, partition } = at;
    const now = performance.now();
    const fresh = { busy: false, paused: false, notBefore: 0, pauseMs: FIRST_PAUSE_MS, progressAt: now };
    const unknown = { end: undefined, problem: undefined, wholeAt: undefined, current: true };
    this.places.set(keyOf(at), { topic, partition, position, ...fresh, ...unknown });
    this.wake.resolve();
  }

  has(at: TopicPartition): boolean {
    return this.places.has(keyOf(at));
  }

  /** Stops reading the partition; records that are under way are dropped. */
  forget(at: TopicPartition): void {
    const place = this.places.get(keyOf(at));
    if (place) place.current = false;
    this.places.delete(keyOf(at));
  }

  forgetAll(): void {
    for (const place of [...this.places.values()]) this.forget(place);
  }

  pause(partitions: readonly TopicPartition[]): void {
    for (const at of partitions) {
      const place = this.places.get(keyOf(at));
      if (place) place.paused = true;
    }
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const at of partitions) {
      const place = this.places.get(keyOf(at));
      if (!place?.paused) continue;
      place.paused = false;
      place.progressAt = performance.now();
    }
    this.wake.resolve();
  }

  states(): PlaceState[] {
    return [...this.places.values()].map(
      ({ topic, partition, position, end, problem, progressAt, wholeAt, busy, paused }) => {
        return { topic, partition, position, end, problem, progressAt, wholeAt, waiting: busy || paused };
      },
    );
  }

  /** Until the signal; rejects with what no waiting changes. */
  async run(signal: AbortSignal): Promise<void> {
    const stopped = Promise.withResolvers<void>();
    const stop = () => stopped.resolve();
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop);
    try {
      while (!signal.aborted) {
        this.wake = Promise.withResolvers();
        void this.refresh();
        const due = this.startFetches();
        const timer = Promise.withResolvers<void>();
        const timeout = setTimeout(timer.resolve, Math.max(1, due - performance.now()));
        await Promise.race([this.wake.promise, timer.promise, stopped.promise, this.ended.promise]);
        clearTimeout(timeout);
      }
    } finally {
      signal.removeEventListener('abort', stop);
      this.forgetAll();
    }
  }

  /** When there is next something to look after, unless it is woken before. */
  private startFetches(): number {
    const now = performance.now();
    let due = now + IDLE_MS;
    const byNode = new Map<number, Place[]>();
    for (const place of this.places.values()) {
      if (place.busy || place.paused) continue;
      if (place.notBefore > now) {
        due = Math.min(due, place.notBefore);
        continue;
      }
      try {
        const leader = this.options.brokers.leaderOf(place.topic, place.partition);
        const own = byNode.get(leader);
        if (own) own.push(place);
        else byNode.set(leader, [place]);
      } catch (error) {
        this.fail(place, error);
        due = Math.min(due, place.notBefore);
      }
    }
    for (const [node, own] of byNode) if (!this.fetching.has(node)) void this.fetch(node, own);
    return due;
  }

  private async fetch(node: number, places: readonly Place[]): Promise<void> {
    this.fetching.add(node);
    try {
      await this.fetchOnce(node, this.rotated(places));
    } catch (error) {
      this.ended.reject(error);
    } finally {
      this.fetching.delete(node);
      this.wake.resolve();
    }
  }

  private async fetchOnce(node: number, places: readonly Place[]): Promise<void> {
    const { brokers, requestTimeoutMs, maxWaitMs, rest } = this.options;
    const patience = this.patience.get(node) ?? FIRST_PATIENCE_MS;
    const positions = places.map(({ topic, partition, position }) => ({
      topic,
      partition,
      offset: position,
    }));
    let fetched: FetchedPartition[];
    const askedAt = performance.now();
    try {
      const timeoutMs = Math.min(requestTimeoutMs, maxWaitMs + patience);
      fetched = await fetchFrom(brokers, node, positions, this.options, timeoutMs);
      this.patience.set(node, Math.max(FIRST_PATIENCE_MS, 2 * (performance.now() - askedAt)));
    } catch (error) {
      if (!isRetriable(error)) throw error;
      this.patience.set(node, Math.min(requestTimeoutMs, patience * 2));
      for (const place of places) this.fail(place, error);
      return;
    }
    const answeredAt = performance.now();
    const byKey = new Map(fetched.map((of) => [keyOf(of), of]));
    const handled = places.flatMap((place, i) => {
      const of = byKey.get(keyOf(place));
      // Its reading began anew or was stopped, or the broker had no room for it this time.
      if (!of || !place.current || place.busy || place.paused) return [];
      if (place.position !== positions[i]?.offset) return [];
      return [this.take(place, of, askedAt)];
    });
    // Partitions that are handled by now are soon fetched again, together with the rest; but the slowest is not waited for long.
    let timeout: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => {
      timeout = setTimeout(resolve, maxWaitMs);
    });
    await Promise.race([Promise.all(handled), enough]);
    clearTimeout(timeout);
    Promise.all(handled).catch((error) => this.ended.reject(error));
    const bytes = fetched.reduce((sum, of) => sum + of.bytes.length, 0);
    if (rest && bytes > 0 && bytes < rest.unlessBytes)
      await pause(Math.max(0, answeredAt + rest.ms - performance.now()), undefined, false);
  }

  private async take(place: Place, fetched: FetchedPartition, askedAt: number): Promise<void> {
    if (fetched.errorCode !== 0) return this.refused(place, createErrorFromCode(fetched.errorCode));
    const from = place.position;
    let decoded: DecodedRecords;
    try {
      decoded = await decodeRecords(place, fetched.bytes, from, fetched.aborted);
    } catch (error) {
      // Damaged on the way, they are whole the next time; damaged at their leader, it is seen that this partition stands still.
      return this.fail(place, error);
    }
    const { records, next } = decoded;
    // Another leader may have answered meanwhile.
    if (!place.current || place.busy || place.position !== from) return;
    place.end = fetched.end;
    place.problem = undefined;
    place.pauseMs = FIRST_PAUSE_MS;
    if (next > from || from >= fetched.stableEnd) place.progressAt = performance.now();
    if (next <= from) {
      if (from >= fetched.stableEnd) place.wholeAt = askedAt;
      return;
    }
    const { topic, partition } = place;
    place.busy = true;
    try {
      await this.handling.add(async () => {
        if (place.current)
          await this.options.onBatch({ topic, partition, records, from, next, end: fetched.end });
      });
      place.position = next;
      place.progressAt = performance.now();
      if (next >= fetched.stableEnd) place.wholeAt = askedAt;
    } finally {
      place.busy = false;
      this.wake.resolve();
    }
  }

  private async refused(place: Place, error: Error & { readonly type: string }): Promise<void> {
    if (!isOffsetOutOfRange(error)) return this.fail(place, error);
    place.busy = true;
    try {
      const low = await afterGap(this.options.brokers, place, place.position);
      if (!place.current) return;
      if (low === undefined) {
        // The offset is there, only not at the broker that was asked: it may have to learn that it leads no more.
        place.notBefore = performance.now() + LONGEST_PAUSE_MS;
        return;
      }
      this.options.onGap?.(place, place.position, low);
      place.position = low;
    } catch (cause) {
      this.fail(place, cause);
    } finally {
      place.busy = false;
      this.wake.resolve();
    }
  }

  /** The partition is tried again after a while, at its leader by then. */
  private fail(place: Place, error: unknown): void {
    if (!isRetriable(error)) throw error;
    if (!place.current) return;
    place.problem = problemOf(error);
    place.notBefore = performance.now() + place.pauseMs;
    place.pauseMs = Math.min(LONGEST_PAUSE_MS, place.pauseMs * 2);
    this.stale ??= 0;
    this.wake.resolve();
  }

  private async refresh(): Promise<void> {
    if (this.refreshing || this.stale === undefined || performance.now() < this.stale) return;
    const topics = [...new Set([...this.places.values()].map(({ topic }) => topic))];
    this.stale = undefined;
    if (topics.length === 0) return;
    this.refreshing = true;
    try {
      await this.options.brokers.refresh(topics);
    } catch (error) {
      if (!isRetriable(error)) this.ended.reject(error);
      this.stale = performance.now() + LONGEST_PAUSE_MS;
    } finally {
      this.refreshing = false;
      this.wake.resolve();
    }
  }

  /** A partition that comes first in a fetch has the best chance of a place in its answer. */
  private rotated(places: readonly Place[]): Place[] {
    this.turn = (this.turn + 1) % Math.max(1, places.length);
    return [...places.slice(this.turn), ...places.slice(0, this.turn)];
  }
}
