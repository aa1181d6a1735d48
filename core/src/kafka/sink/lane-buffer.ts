import { keyOf } from '../client/offsets.ts';
import {
  type BufferLimits,
  batchId,
  type CommittedOffset,
  compareRanges,
  type Intent,
  intentOf,
  type OffsetRange,
  type Plan,
} from './batch.ts';
import type { Entry } from './entry.ts';

interface PartitionState {
  readonly topic: string;
  readonly partition: number;
  /** Start of the next range. Null: nothing was ever committed and nothing came yet. */
  start: number | null;
  /** Next offset expected from the log. */
  position: number | null;
  /** Records that wait here. */
  waiting: number;
}

/**
 * The records of one lane that were read and not yet written. Knows no Kafka: records are added, and batches are taken.
 * An unfinished batch of an earlier owner is formed again, record for record, before anything else.
 */
export class LaneBuffer<R> {
  rows = 0;
  bytes = 0;
  private readonly group: string;
  private readonly lane: string;
  /** Asked each time: they may change. */
  private readonly limits: BufferLimits;
  private readonly newNonce: () => string;
  private readonly cut: string | undefined;
  private readonly partitions = new Map<string, PartitionState>();
  private chunks: Chunk<R>[] = [];
  private redo: Intent | undefined;

  constructor(
    group: string,
    lane: string,
    limits: BufferLimits,
    committed: readonly CommittedOffset[],
    newNonce: () => string,
    /** How new batches are cut, if they are. */
    cut?: string,
  ) {
    this.group = group;
    this.lane = lane;
    this.limits = limits;
    this.newNonce = newNonce;
    this.cut = cut;
    this.redo = intentOf(committed);
    for (const { topic, partition, offset } of committed) {
      const state = { topic, partition, start: offset, position: offset, waiting: 0 };
      this.partitions.set(keyOf(state), state);
    }
  }

  /** Null: any offset. */
  positionOf(topic: string, partition: number): number | null {
    return this.stateOf(topic, partition).position;
  }

  /** Takes the records of one fetch, in offset order, and the offset after everything that the fetch covered. */
  add(topic: string, partition: number, entries: Entry<R>[], next: number, now: number): void {
    const state = this.stateOf(topic, partition);
    const first = entries[0];
    state.start ??= first?.offset ?? next;
    state.position = Math.max(next, state.position ?? 0);
    if (!first) return;
    this.chunks.push({ ...this.counted(entries), arrivedAt: now });
  }

  /** The log has nothing before this offset (any more). */
  skipTo(topic: string, partition: number, offset: number): void {
    const state = this.stateOf(topic, partition);
    state.position = Math.max(offset, state.position ?? 0);
  }

  /** Ranges of the unfinished batch whose end has not been reached. */
  missing(): OffsetRange[] {
    return (this.redo?.ranges ?? []).filter(
      ({ topic, partition, end }) => (this.stateOf(topic, partition).position ?? 0) < end,
    );
  }

  /** When `take` will have something: a time, 0 for now, or undefined if nothing is known. */
  dueAt(): number | undefined {
    if (this.redo) return this.missing().length === 0 ? 0 : undefined;
    const [oldest] = this.chunks;
    if (!oldest) return undefined;
    if (this.rows >= this.limits.batchRows || this.bytes >= this.limits.batchBytes) return 0;
    return oldest.arrivedAt + this.limits.flushMs;
  }

  /** The next batch, if one is due. */
  take(now: number): Plan<R> | undefined {
    const due = this.dueAt();
    if (due === undefined || due > now) return undefined;
    return this.redo ? this.takeRedo(this.redo) : this.takeOldest();
  }

  /** As if this plan, the last one that was taken, had not been. It must not have been announced. */
  putBack({ intent, entries }: Plan<R>): void {
    for (const { topic, partition, start } of intent.ranges) this.stateOf(topic, partition).start = start;
    const chunks = new Taken(entries).sorted().map((own) => this.counted(own));
    // They have waited long enough.
    this.chunks = [
      ...chunks.map(({ key, entries: own }) => ({ key, arrivedAt: 0, entries: own })),
      ...this.chunks,
    ];
  }

  /**
   * The same batch with what waits behind it, as far as there is room. For what is delivered record by record: neither is the batch
   * announced anew, nor does its id change.
   */
  extend(plan: Plan<R>, room: Room): Plan<R> {
    if (this.redo || room.rows <= 0 || room.bytes <= 0) return plan;
    const more = this.takeUpTo(room).sorted();
    if (more.length === 0) return plan;
    const ranges = new Map(plan.intent.ranges.map((range) => [keyOf(range), range]));
    for (const range of more.flatMap((group) => this.rangeOf(group))) {
      const key = keyOf(range);
      ranges.set(key, { ...range, start: ranges.get(key)?.start ?? range.start });
    }
    const intent = { ...plan.intent, ranges: [...ranges.values()].sort(compareRanges) };
    const all = new Taken(plan.entries);
    for (const group of more) for (const entry of group) all.add(keyOfEntry(entry), [entry]);
    return { ...plan, intent, entries: all.sorted().flat() };
  }

  /** Where to commit after these ranges were written: beyond the markers that follow if nothing else waits there. */
  commitAfter(ranges: readonly OffsetRange[]): OffsetRange[] {
    return ranges.map((range) => {
      const state = this.stateOf(range.topic, range.partition);
      const end = state.waiting === 0 ? Math.max(range.end, state.position ?? 0) : range.end;
      if (state.waiting === 0) state.start = end;
      return { ...range, end };
    });
  }

  /** Partitions that have moved on over offsets without records: they can be committed without writing anything. */
  idle(): OffsetRange[] {
    if (this.redo || this.chunks.length > 0) return [];
    const moved: OffsetRange[] = [];
    for (const { topic, partition, start, position } of this.partitions.values()) {
      if (start !== null && position !== null && start < position) {
        moved.push({ topic, partition, start, end: position });
      }
    }
    return moved;
  }

  private counted(entries: Entry<R>[]): { key: string; entries: Entry<R>[] } {
    const key = entries[0] ? keyOfEntry(entries[0]) : '';
    const state = this.partitions.get(key);
    if (state) state.waiting += entries.length;
    this.rows += entries.length;
    for (const entry of entries) this.bytes += entry.bytes;
    return { key, entries };
  }

  private stateOf(topic: string, partition: number): PartitionState {
    const state = this.partitions.get(keyOf({ topic, partition }));
    if (!state) throw new Error(`${topic}/${partition} is not of lane ${this.lane}`);
    return state;
  }

  private takeRedo(intent: Intent): Plan<R> {
    this.redo = undefined;
    const ends = new Map(intent.ranges.map((range) => [keyOf(range), range.end]));
    const taken = new Taken<R>();
    for (const chunk of this.chunks) {
      const end = ends.get(chunk.key) ?? 0;
      const beyond = chunk.entries.findIndex(({ offset }) => offset >= end);
      this.move(chunk, beyond === -1 ? chunk.entries.length : beyond, taken);
    }
    this.dropEmptyChunks();
    for (const range of intent.ranges) this.stateOf(range.topic, range.partition).start = range.end;
    const id = batchId(this.group, this.lane, intent);
    return { id, intent, entries: taken.sorted().flat(), redo: true };
  }

  private takeOldest(): Plan<R> {
    const { batchRows, batchBytes } = this.limits;
    const groups = this.takeUpTo({ rows: batchRows, bytes: batchBytes }).sorted();
    const ranges = groups.flatMap((group) => this.rangeOf(group));
    const intent = { nonce: this.newNonce(), ranges, cut: this.cut };
    return { id: batchId(this.group, this.lane, intent), intent, entries: groups.flat(), redo: false };
  }

  private takeUpTo(most: Room): Taken<R> {
    const taken = new Taken<R>();
    let room = most;
    for (const chunk of this.chunks) {
      const count = fitting(chunk.entries, room);
      const whole = count === chunk.entries.length;
      const bytes = this.move(chunk, count, taken);
      room = { rows: room.rows - count, bytes: room.bytes - bytes };
      if (!whole || room.rows <= 0 || room.bytes <= 0) break;
    }
    this.dropEmptyChunks();
    return taken;
  }

  /** The range of one partition's entries: from where its last one ended to behind its last record. */
  private rangeOf(entries: readonly Entry<R>[]): OffsetRange[] {
    const [first, last] = [entries[0], entries.at(-1)];
    if (!first || !last) return [];
    const { readFrom: topic, partition } = first;
    const state = this.stateOf(topic, partition);
    const range = { topic, partition, start: state.start ?? first.offset, end: last.offset + 1 };
    state.start = range.end;
    return [range];
  }

  private move(chunk: Chunk<R>, count: number, taken: Taken<R>): number {
    const entries = chunk.entries.splice(0, count);
    let bytes = 0;
    for (const entry of entries) bytes += entry.bytes;
    this.rows -= count;
    this.bytes -= bytes;
    const state = this.partitions.get(chunk.key);
    if (state) state.waiting -= count;
    taken.add(chunk.key, entries);
    return bytes;
  }

  private dropEmptyChunks(): void {
    this.chunks = this.chunks.filter(({ entries }) => entries.length > 0);
  }
}

/** The records of one fetch of one partition that were not taken yet. */
interface Chunk<R> {
  readonly key: string;
  readonly arrivedAt: number;
  entries: Entry<R>[];
}

/** Entries by partition, each in offset order because they are taken in the order they came. */
class Taken<R> {
  private readonly groups = new Map<string, Entry<R>[]>();

  constructor(entries: readonly Entry<R>[] = []) {
    for (const entry of entries) this.add(keyOfEntry(entry), [entry]);
  }

  add(key: string, entries: readonly Entry<R>[]): void {
    const group = this.groups.get(key);
    if (group) for (const entry of entries) group.push(entry);
    else if (entries.length > 0) this.groups.set(key, [...entries]);
  }

  sorted(): Entry<R>[][] {
    return [...this.groups.values()].sort(([a], [b]) => (a && b ? compareRanges(a, b) : 0));
  }
}

/** The partition that it was read from. */
export const keyOfEntry = ({ readFrom, partition }: Pick<Entry<unknown>, 'readFrom' | 'partition'>) =>
  keyOf({ topic: readFrom, partition });

interface Room {
  readonly rows: number;
  readonly bytes: number;
}

/** How many of the first entries fit; the first does at any size, unless something was taken before it. */
function fitting(entries: readonly Entry<unknown>[], room: Room): number {
  let { rows, bytes } = room;
  let count = 0;
  for (const entry of entries) {
    if (count > 0 && (rows <= 0 || bytes < entry.bytes)) break;
    rows -= 1;
    bytes -= entry.bytes;
    count += 1;
  }
  return count;
}
