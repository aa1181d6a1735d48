import type { Logger } from '../../log.ts';
import type { FetchedBatch, PlaceState } from '../consume/fetcher.ts';
import type { LogBounds } from '../wire/offsets.ts';
import { BatchLane } from './batch-lane.ts';
import { BatchSize } from './batch-size.ts';
import type { Entry } from './entry.ts';
import { type CommittedOffset, partitionKey } from './intent.ts';
import type { LaneOf } from './lane-assigner.ts';
import { type BufferLimits, LaneBuffer } from './lane-buffer.ts';
import type { LaneContext } from './lane-context.ts';

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export interface AssignmentOptions<R> {
  readonly group: string;
  readonly laneOf: LaneOf;
  readonly limits: BufferLimits;
  readonly context: LaneContext<R>;
  readonly newNonce: () => string;
  readonly log: Logger;
}

/** What is known of a partition when it is assigned. */
export interface StartingPoint {
  readonly committed: CommittedOffset;
  readonly bounds: LogBounds;
}

/** The lanes of one group generation, from the join until the next one begins. */
export class Assignment<R> {
  readonly lanes = new Map<string, BatchLane<R>>();
  private readonly options: AssignmentOptions<R>;
  private readonly byPartition = new Map<string, BatchLane<R>>();
  private readonly membersOf = new Map<string, TopicPartition[]>();

  constructor(options: AssignmentOptions<R>, points: readonly StartingPoint[]) {
    this.options = options;
    const byLane = new Map<string, StartingPoint[]>();
    for (const point of points) {
      const { topic, partition } = point.committed;
      const lane = options.laneOf(topic, partition);
      byLane.set(lane, [...(byLane.get(lane) ?? []), point]);
    }
    for (const [id, own] of byLane) this.addLane(id, own);
  }

  laneAt(partition: TopicPartition): BatchLane<R> | undefined {
    return this.byPartition.get(partitionKey(partition));
  }

  partitionsOf(lane: string): readonly TopicPartition[] {
    return this.membersOf.get(lane) ?? [];
  }

  /**
   * Partitions of a lane that has enough to write, and need not be read now. Not those of which an announced batch still lacks records:
   * until it is complete nothing is written, so that they would be waited for, for ever, by what waits for them.
   */
  partitionsThatCanWait(lane: string): readonly TopicPartition[] {
    const missing = new Set(this.lanes.get(lane)?.buffer.missing().map(partitionKey));
    return this.partitionsOf(lane).filter((of) => !missing.has(partitionKey(of)));
  }

  /** How each lane gets on, as its readers see their partitions. One that has nothing to write, or is writing, waits for nothing. */
  states(): PlaceState[] {
    return [...this.lanes].flatMap(([id, { buffer, atWork, progressAt }]) => {
      const of = buffer.missing()[0] ?? this.partitionsOf(id)[0];
      if (!of) return [];
      const { topic, partition } = of;
      const position = buffer.positionOf(topic, partition) ?? 0;
      const waiting = atWork || buffer.rows === 0;
      return [{ topic, partition, position, end: undefined, waiting, problem: undefined, progressAt }];
    });
  }

  /** Where reading begins. */
  positions(): (TopicPartition & { readonly position: number })[] {
    return [...this.membersOf].flatMap(([id, own]) =>
      own.map(({ topic, partition }) => {
        const position = this.lanes.get(id)?.buffer.positionOf(topic, partition);
        if (typeof position !== 'number') throw new Error(`${topic}/${partition} has no position`);
        return { topic, partition, position };
      }),
    );
  }

  take({ topic, partition, next }: FetchedBatch, entries: Entry<R>[]): void {
    const lane = this.requireLane({ topic, partition });
    // From here on it has something to write.
    if (lane.buffer.rows === 0) lane.progressAt = performance.now();
    lane.buffer.add(topic, partition, entries, next, this.options.context.now());
    lane.wake();
  }

  /** There is no record, or none any more, before this offset. */
  pass(at: TopicPartition, next: number): void {
    const lane = this.requireLane(at);
    lane.buffer.skipTo(at.topic, at.partition, next);
    lane.wake();
  }

  buffered(): number {
    let rows = 0;
    for (const { buffer } of this.lanes.values()) rows += buffer.rows;
    return rows;
  }

  private requireLane(at: TopicPartition): BatchLane<R> {
    const lane = this.laneAt(at);
    // Dropping what was fetched would leave a hole.
    if (!lane) throw new Error(`${partitionKey(at)} was fetched and is not assigned`);
    return lane;
  }

  private addLane(id: string, points: readonly StartingPoint[]): void {
    const { group, limits, newNonce, context } = this.options;
    // A partition that nobody has committed begins at its first record; so does one whose records were removed unread.
    const offsets = points.map(({ committed, bounds }) => ({
      ...committed,
      offset: committed.offset ?? bounds.low,
    }));
    const size = new BatchSize(limits);
    const buffer = new LaneBuffer<R>(group, id, size, offsets, newNonce, context.sink.cut);
    for (const { committed, bounds } of points) {
      const { topic, partition, offset } = committed;
      if (offset === null || offset >= bounds.low) continue;
      this.options.log.error(
        { topic, partition, expected: offset, low: bounds.low },
        'retention removed records before they were read',
      );
      buffer.skipTo(topic, partition, bounds.low);
    }
    const lane = new BatchLane<R>(id, { buffer, size, limits }, context);
    this.lanes.set(id, lane);
    this.membersOf.set(
      id,
      offsets.map(({ topic, partition }) => ({ topic, partition })),
    );
    for (const offset of offsets) this.byPartition.set(partitionKey(offset), lane);
  }
}
