import type { Logger } from '../../telemetry.ts';
import type { Brokers } from '../client/brokers.ts';
import { committedOffsets, keyOf, logBounds, type TopicPartition } from '../client/offsets.ts';
import { AnswerIncomplete } from '../errors.ts';
import type { Assigned, Assigner } from '../read/assigners.ts';
import type { FetchedBatch, PlaceState } from '../read/fetcher.ts';
import { requireReaches } from '../read/log-truncation.ts';
import type { Generation as GroupGeneration } from '../read/membership.ts';
import { BatchSize, type BufferLimits, type StartingPoint } from './batch.ts';
import { BatchLane } from './batch-lane.ts';
import type { Entry } from './entry.ts';
import { LaneBuffer } from './lane-buffer.ts';
import type { LaneContext } from './lane-context.ts';
import { LanePace } from './pace.ts';

export interface AssignmentOptions<R> {
  readonly group: string;
  readonly laneOf: LaneOf;
  readonly limits: BufferLimits;
  /** Milliseconds a piece that a lane of these topics takes. */
  readonly everyMs: (topics: readonly string[]) => number;
  /** By how much the further pieces of a batch may be ahead of that. */
  readonly aheadMs: number;
  readonly context: LaneContext<R>;
  readonly newNonce: () => string;
  readonly log: Logger;
}

/** From one join of the group to the next. */
export interface Generation<R> {
  readonly lost: AbortController;
  readonly group: GroupGeneration;
  assignment?: Assignment<R>;
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
    return this.byPartition.get(keyOf(partition));
  }

  partitionsOf(lane: string): readonly TopicPartition[] {
    return this.membersOf.get(lane) ?? [];
  }

  /**
   * Partitions of a lane that has enough to write, and need not be read now. Not those of which an announced batch still lacks records:
   * until it is complete nothing is written, so that they would be waited for, for ever, by what waits for them.
   */
  partitionsThatCanWait(lane: string): readonly TopicPartition[] {
    const missing = new Set(this.lanes.get(lane)?.buffer.missing().map(keyOf));
    return this.partitionsOf(lane).filter((of) => !missing.has(keyOf(of)));
  }

  /** How each lane gets on, as its readers see their partitions. One that has nothing to write, or is writing, waits for nothing. */
  states(): PlaceState[] {
    return [...this.lanes].flatMap(([id, { buffer, atWork, rests, progressAt }]) => {
      const of = buffer.missing()[0] ?? this.partitionsOf(id)[0];
      if (!of) return [];
      const { topic, partition } = of;
      const position = buffer.positionOf(topic, partition) ?? 0;
      const waiting = atWork || rests || buffer.rows === 0;
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
    if (!lane) throw new Error(`${keyOf(at)} was fetched and is not assigned`);
    return lane;
  }

  private addLane(id: string, points: readonly StartingPoint[]): void {
    const { group, limits, newNonce, context, everyMs, aheadMs } = this.options;
    // A partition without a committed offset begins at its first record; so does one whose records were removed unread.
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
    const pace = new LanePace(everyMs(points.map(({ committed }) => committed.topic)), aheadMs);
    const lane = new BatchLane<R>(id, { buffer, size, limits, pace }, context);
    this.lanes.set(id, lane);
    this.membersOf.set(
      id,
      offsets.map(({ topic, partition }) => ({ topic, partition })),
    );
    for (const offset of offsets) this.byPartition.set(keyOf(offset), lane);
  }
}

/**
 * The committed offsets of all partitions that were assigned, and where their logs begin. In this order: bounds that were read first
 * may lie before the offsets that are committed by now, which looks like a loss. All of them, or an error: no member would read a
 * partition that an answer leaves out, without any sign. Throws KAFKA_LOG_TRUNCATED (fatal) where a partition ends before what was
 * committed.
 */
export async function startingPoints(
  brokers: Brokers,
  groupId: string,
  assigned: Assigned,
  signal: AbortSignal,
): Promise<StartingPoint[]> {
  const partitions = Object.entries(assigned).flatMap(([topic, ids]) =>
    ids.map((partition) => ({ topic, partition })),
  );
  await brokers.refresh(Object.keys(assigned));
  const committed = await committedOffsets(brokers, groupId, partitions, { signal });
  const bounds = await logBounds(brokers, partitions, 'uncommitted', { signal });
  const points: StartingPoint[] = [];
  for (const at of partitions) {
    const [of, log] = [committed.get(keyOf(at)), bounds.get(keyOf(at))];
    if (!of || !log) throw new AnswerIncomplete(keyOf(at));
    if (of.offset !== null && of.offset > log.high) await requireReaches(brokers, at, of.offset);
    points.push({ committed: { ...at, ...of }, bounds: log });
  }
  return points;
}

/** Which lane a topic partition belongs to. Pure: every member must say the same. */
export type LaneOf = (topic: string, partition: number) => string;

const NAME = 'email-events-lanes';
const VERSION = 1;

/**
 * Gives all topic partitions of a lane to one member, so that one member can write a lane as one batch.
 * Members keep what they have as far as the shares stay even: each lane that moves costs a redo.
 */
export function laneAssigner(laneOf: LaneOf, owned: () => Iterable<string>): Assigner {
  return {
    name: NAME,
    version: VERSION,
    userData: () => Buffer.from(JSON.stringify([...owned()])),
    assign: (members, partitions) => {
      const lanes = lanesOf(partitions, laneOf);
      const owners = shareLanes(
        [...lanes.keys()],
        members.map(({ id, userData }) => ({ id, owned: ownedBy(userData) })),
      );
      const shares = new Map<string, TopicPartition[]>(members.map(({ id }) => [id, []]));
      for (const [lane, own] of lanes) {
        const owner = owners.get(lane);
        const share = owner === undefined ? undefined : shares.get(owner);
        if (!share) throw new Error(`lane ${lane} (${own.map(keyOf).join(', ')}) has no owner`);
        for (const partition of own) share.push(partition);
      }
      return shares;
    },
  };
}

/** Pure: who gets which lane. The shares differ by one lane at most. */
export function shareLanes(
  lanes: readonly string[],
  members: readonly { readonly id: string; readonly owned: readonly string[] }[],
): Map<string, string> {
  const sorted = members.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const owners = new Map<string, string>();
  const counts = new Map(sorted.map(({ id }) => [id, 0]));
  const give = (lane: string, id: string) => {
    owners.set(lane, id);
    counts.set(id, (counts.get(id) ?? 0) + 1);
  };
  const least = Math.floor(lanes.length / Math.max(1, members.length));
  let extras = lanes.length - least * members.length;
  for (const { id, owned } of sorted) {
    for (const lane of owned) {
      if (!lanes.includes(lane) || owners.has(lane)) continue;
      const count = counts.get(id) ?? 0;
      if (count > least || (count === least && extras === 0)) break;
      if (count === least) extras -= 1;
      give(lane, id);
    }
  }
  for (const lane of lanes.toSorted()) {
    if (owners.has(lane)) continue;
    const [poorest] = [...counts].toSorted(([, a], [, b]) => a - b);
    if (poorest) give(lane, poorest[0]);
  }
  return owners;
}

function lanesOf(partitions: readonly TopicPartition[], laneOf: LaneOf) {
  const lanes = new Map<string, TopicPartition[]>();
  for (const of of partitions) {
    const lane = laneOf(of.topic, of.partition);
    const own = lanes.get(lane);
    if (own) own.push(of);
    else lanes.set(lane, [of]);
  }
  return lanes;
}

function ownedBy(userData: Buffer): string[] {
  return userData.length === 0 ? [] : (JSON.parse(userData.toString()) as string[]);
}
