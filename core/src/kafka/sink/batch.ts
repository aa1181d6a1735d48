import { createHash } from 'node:crypto';
import type { LogBounds, TopicPartition } from '../client/offsets.ts';
import type { Refusal } from './dead-letters.ts';
import type { Entry } from './entry.ts';
import type { SinkVerdict } from './sink.ts';

/** Offsets of one topic partition, the end exclusive. Between them there may be offsets without a record. */
export interface OffsetRange {
  readonly topic: string;
  readonly partition: number;
  readonly start: number;
  readonly end: number;
}

/** The group's committed offset of a topic partition. Null: nothing yet. */
export interface CommittedOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number | null;
  readonly metadata: string | null;
}

/** The state of a partition when it is assigned. */
export interface StartingPoint {
  readonly committed: CommittedOffset;
  readonly bounds: LogBounds;
}

/** A batch that was announced and, as far as Kafka knows, not finished. */
export interface Intent {
  /** Made once per announced batch: the same offsets of a topic that was made anew are another batch. */
  readonly nonce: string;
  /** Sorted by topic, then partition. */
  readonly ranges: readonly OffsetRange[];
  /** The name of the way in which it is cut into pieces; undefined: it is not. */
  readonly cut?: string | undefined;
}

export interface BufferLimits {
  /** Rows after which a batch is due, and the most it holds. */
  readonly batchRows: number;
  readonly batchBytes: number;
  /** Age of the oldest record after which a batch is due. */
  readonly flushMs: number;
}

/** A batch to be written: its entries sorted by topic, partition, offset, and how to announce and to finish it. */
export interface Plan<R> {
  readonly id: string;
  readonly intent: Intent;
  readonly entries: readonly Entry<R>[];
  /** True: an earlier owner of the lane announced it. */
  readonly redo: boolean;
}

/** A batch that is one piece; so were all before there were pieces. */
const WHOLE = 'i1';
/** A batch that is cut. */
const CUT = 'i2';

/**
 * Commit metadata of one range of a batch: version, nonce, planned end, how many ranges the batch has, and how it is cut. The pieces
 * follow from the records and the name of the cut, so that it stays below 100 bytes however many there are (a broker takes 4096).
 * All ranges of a batch are committed in one request, so a reader finds all of them or none.
 */
export function encodeIntent(nonce: string, end: number, ranges: number, cut?: string): string {
  return cut === undefined ? [WHOLE, nonce, end, ranges].join(' ') : [CUT, nonce, end, ranges, cut].join(' ');
}

/**
 * The unfinished batch that these committed offsets announce, if any. Ranges of which some are missing announce
 * nothing: someone has set offsets by hand since, and what they ask for is to read again from there.
 */
export function intentOf(committed: readonly CommittedOffset[]): Intent | undefined {
  const byNonce = new Map<string, { expected: number; cut: string | undefined; ranges: OffsetRange[] }>();
  for (const { topic, partition, offset, metadata } of committed) {
    const [version, nonce, end, count, cut] = (metadata ?? '').split(' ');
    if (!nonce || offset === null || !isComplete(version, cut)) continue;
    const entry = byNonce.get(nonce) ?? { expected: Number(count), cut, ranges: [] };
    entry.ranges.push({ topic, partition, start: offset, end: Number(end) });
    byNonce.set(nonce, entry);
  }
  for (const [nonce, { expected, cut, ranges }] of byNonce) {
    if (ranges.length === expected) return { nonce, ranges: ranges.toSorted(compareRanges), cut };
  }
  return undefined;
}

const isComplete = (version: string | undefined, cut: string | undefined) =>
  (version === WHOLE && cut === undefined) || (version === CUT && cut !== undefined && cut !== '');

/** The id of a batch: the same on every instance for the same announcement. How it is cut is told by its pieces' names. */
export function batchId(group: string, lane: string, { nonce, ranges }: Intent): string {
  const parts = ranges.map(({ topic, partition, start, end }) => `${topic}/${partition}:${start}-${end}`);
  return createHash('sha256')
    .update([group, lane, nonce, ...parts].join('\n'))
    .digest('hex')
    .slice(0, 32);
}

/** One order on every instance: records of a batch are written in it. */
export function compareRanges(a: TopicPartition, b: TopicPartition): number {
  return a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition;
}

/**
 * How large the next batch of a lane may be. A batch that was announced keeps its size; one that was too much for the sink, or had too
 * many pieces, makes the next ones smaller, and each that goes well makes the next one larger again, up to what is configured.
 */
export class BatchSize implements BufferLimits {
  readonly flushMs: number;
  private readonly most: BufferLimits;
  private rows: number;

  constructor(most: BufferLimits) {
    this.most = most;
    this.flushMs = most.flushMs;
    this.rows = most.batchRows;
  }

  get batchRows(): number {
    return this.rows;
  }

  /** In proportion to the rows: what is too much may be either. */
  get batchBytes(): number {
    return Math.max(1, Math.floor((this.most.batchBytes * this.rows) / this.most.batchRows));
  }

  /** The batch that it was said of had so many rows. */
  tooLarge(rows: number): void {
    this.atMost(Math.floor(Math.min(rows, this.rows) / 2));
  }

  atMost(rows: number): void {
    this.rows = Math.max(1, Math.min(rows, this.rows));
  }

  wentWell(): void {
    this.rows = Math.min(this.most.batchRows, this.rows * 2);
  }
}

/** A batch from when it is taken until it is committed: the state of its records and pieces. */
export class OpenBatch<R> {
  /** Grows only for a sink that takes record by record. */
  plan: Plan<R>;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  /** How many it has, once they were made. */
  pieces = 1;
  /** Tries that did not end it. */
  attempts = 0;
  /** Tries that ended with an unforeseen error, since its record was last looked for. */
  unforeseen = 0;
  /** How often such a record was looked for. */
  searches = 0;
  /** It was said to be too much at a time. */
  tooLarge = false;
  /** Records that were not done with after the last try. */
  waiting = 0;
  private readonly done = new Set<string>();
  private readonly refusedBySink: Refusal[] = [];
  /** Records that no piece may hold. */
  private readonly aside = new Map<Entry<R>, Refusal>();
  private readonly written = new Set<Refusal>();

  constructor(plan: Plan<R>, startedAt: number) {
    this.plan = plan;
    this.startedAt = startedAt;
  }

  /** The records for the sink, always the same but for those set aside: the token of a piece stands for its records. */
  get entries(): readonly Entry<R>[] {
    return this.aside.size === 0
      ? this.plan.entries
      : this.plan.entries.filter((entry) => !this.aside.has(entry));
  }

  setAside(entry: Entry<R>, code: string, message: string): void {
    this.aside.set(entry, { entry, code, message, firstAt: this.startedAt });
  }

  isDone(piece: string): boolean {
    return this.done.has(piece);
  }

  /** Every record of the piece has its last word. */
  settle(piece: string, entries: readonly Entry<R>[], verdicts: readonly SinkVerdict[]): void {
    this.done.add(piece);
    for (const [index, entry] of entries.entries()) {
      const verdict = verdicts[index];
      if (verdict?.outcome !== 'dead-letter') continue;
      const { code, message } = verdict;
      this.refusedBySink.push({ entry, code, message, firstAt: this.startedAt });
    }
  }

  /** Records that are set aside and have no dead letter yet, as far as is known. */
  lettersDue(): Refusal[] {
    return [...this.aside.values()].filter((refusal) => !this.written.has(refusal));
  }

  lettersWritten(refusals: readonly Refusal[]): void {
    for (const refusal of refusals) this.written.add(refusal);
  }

  /** All that became dead letters, once nothing is left. */
  get refusals(): readonly Refusal[] {
    return [...this.aside.values(), ...this.refusedBySink];
  }

  /** Records that the sink refused. Complete when all pieces are done. */
  refused(): readonly Refusal[] {
    return this.refusedBySink;
  }
}
