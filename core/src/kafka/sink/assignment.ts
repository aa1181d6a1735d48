import type { Batch } from 'kafkajs';
import { PipelineError } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import { BatchLane, type LaneContext } from './batch-lane.ts';
import type { Entry } from './entry.ts';
import { type CommittedOffset, partitionKey } from './intent.ts';
import type { LaneOf } from './lane-assigner.ts';
import { type BufferLimits, LaneBuffer } from './lane-buffer.ts';
import type { LogBounds } from './offsets.ts';

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

/** After so many vain attempts to read from where was committed, what comes is taken as it is. */
const MAX_SEEKS = 3;

/** The lanes of one group generation, from the join until the next one begins. */
export class Assignment<R> {
  readonly lanes = new Map<string, BatchLane<R>>();
  private readonly options: AssignmentOptions<R>;
  private readonly byPartition = new Map<string, BatchLane<R>>();
  private readonly membersOf = new Map<string, TopicPartition[]>();
  /** Partitions whose fetches are known to go on from the committed offset. */
  private readonly inStep = new Set<string>();
  private readonly seeks = new Map<string, number>();

  constructor(
    options: AssignmentOptions<R>,
    committed: readonly CommittedOffset[],
    boundsOf: (partition: TopicPartition) => LogBounds | undefined,
  ) {
    this.options = options;
    const byLane = new Map<string, CommittedOffset[]>();
    for (const item of committed) {
      const lane = options.laneOf(item.topic, item.partition);
      byLane.set(lane, [...(byLane.get(lane) ?? []), startOf(item, boundsOf(item))]);
    }
    for (const [id, offsets] of byLane) this.addLane(id, offsets, boundsOf);
  }

  laneAt(partition: TopicPartition): BatchLane<R> | undefined {
    return this.byPartition.get(partitionKey(partition));
  }

  partitionsOf(lane: string): readonly TopicPartition[] {
    return this.membersOf.get(lane) ?? [];
  }

  /**
   * Whether a fetch goes on from where the lane is. With several brokers, kafkajs may hand over what it fetched before
   * the group was joined anew; taken as it is, that would leave a hole. An offset: read from there instead.
   */
  async offsetToSeek(batch: Batch, readBounds: () => Promise<LogBounds>): Promise<number | undefined> {
    const { topic, partition } = batch;
    const key = partitionKey(batch);
    const expected = this.laneAt(batch)?.buffer.positionOf(topic, partition) ?? null;
    const fetched = fetchedOffsetOf(batch);
    const known = this.inStep.has(key);
    if (expected === null || fetched === undefined || fetched === expected) {
      this.inStep.add(key);
      return undefined;
    }
    const { low, high } = await readBounds();
    if (known && fetched < expected) {
      if (high < expected) throw wentBack(batch, expected);
      return expected;
    }
    const tried = this.seeks.get(key) ?? 0;
    if (!known && tried < MAX_SEEKS && expected >= low) {
      this.seeks.set(key, tried + 1);
      return expected;
    }
    if (expected < low) {
      const lost = { topic, partition, expected, low };
      this.options.log.error(lost, 'retention removed records before they were read');
    }
    this.inStep.add(key);
    return undefined;
  }

  take(batch: Batch, entries: Entry<R>[]): void {
    const lane = this.laneAt(batch);
    if (!lane) return;
    const { topic, partition } = batch;
    const position = lane.buffer.positionOf(topic, partition) ?? 0;
    const fresh =
      entries[0] && entries[0].offset < position ? entries.filter((e) => e.offset >= position) : entries;
    lane.buffer.add(topic, partition, fresh, Number(batch.lastOffset()) + 1, this.options.context.now());
    lane.wake();
  }

  /** A fetch held only markers and aborted records. */
  pass(at: TopicPartition, first: number, last: number): void {
    const lane = this.laneAt(at);
    if (!lane || lane.buffer.positionOf(at.topic, at.partition) !== first) return;
    lane.buffer.skipTo(at.topic, at.partition, last + 1);
    this.inStep.add(partitionKey(at));
    lane.wake();
  }

  buffered(): number {
    let rows = 0;
    for (const { buffer } of this.lanes.values()) rows += buffer.rows;
    return rows;
  }

  private addLane(
    id: string,
    offsets: readonly CommittedOffset[],
    boundsOf: (partition: TopicPartition) => LogBounds | undefined,
  ): void {
    const { group, limits, newNonce, context } = this.options;
    const buffer = new LaneBuffer<R>(group, id, limits, offsets, newNonce);
    // What an announced batch still lacks may have been removed by retention since.
    for (const range of buffer.missing()) {
      const low = boundsOf(range)?.low ?? 0;
      if (low > range.start) buffer.skipTo(range.topic, range.partition, low);
    }
    const lane = new BatchLane<R>(id, buffer, context);
    this.lanes.set(id, lane);
    this.membersOf.set(
      id,
      offsets.map(({ topic, partition }) => ({ topic, partition })),
    );
    for (const offset of offsets) this.byPartition.set(partitionKey(offset), lane);
  }
}

/** A partition nobody has committed begins at its first record. */
function startOf(item: CommittedOffset, bounds: LogBounds | undefined): CommittedOffset {
  if (item.offset === null) return { ...item, offset: bounds?.low ?? null };
  if (bounds && item.offset > bounds.high) throw wentBack(item, item.offset);
  return item;
}

function wentBack({ topic, partition }: TopicPartition, expected: number): PipelineError {
  return new PipelineError(
    'KAFKA_LOG_TRUNCATED',
    'fatal',
    `${topic}/${partition} ends before offset ${expected}, which was read already`,
  );
}

/** Where kafkajs read from; it is there, though not in the type. */
function fetchedOffsetOf(batch: Batch): number | undefined {
  const { fetchedOffset } = batch as Batch & { fetchedOffset?: unknown };
  return fetchedOffset === undefined ? undefined : Number(String(fetchedOffset));
}
