import { PipelineError } from '../../errors.ts';
import type { InputRecord } from '../records.ts';
import type { UnforeseenFailure } from './stage.ts';

/** So often a single record is tried: memory may be short for a moment. */
export const ATTEMPTS = 3;

/**
 * Finds the one record among many on which the work fails: what failed is halved, first half first, until a single record
 * is left. It knows offsets only, so it outlives a lane whose transaction was refused, and batches that are fetched anew.
 */
export class Isolation {
  /** Where pieces end, the nearest last: records up to an offset that is in here are never taken together with later ones. */
  private readonly cuts: number[] = [];
  private suspect: { readonly offset: number; readonly failure: UnforeseenFailure } | undefined;

  /** Those of the records, in order, that come next. None only of none. */
  piece(records: readonly InputRecord[]): readonly InputRecord[] {
    const [first] = records;
    // An earlier lane may have committed it without learning so: then it has passed.
    if (first) this.passed(first.offset);
    const cut = this.cuts.at(-1);
    if (cut === undefined) return records;
    const end = records.findIndex(({ offset }) => offset >= cut);
    return end === -1 ? records : records.slice(0, end);
  }

  /** A piece failed, and not because something was away. */
  failed(piece: readonly InputRecord[], error: unknown): void {
    const middle = piece[piece.length >> 1];
    if (!middle) return;
    if (piece.length > 1) {
      this.cuts.push(middle.offset);
      return;
    }
    const earlier = this.suspect?.offset === middle.offset ? this.suspect.failure.attempts : 0;
    this.suspect = { offset: middle.offset, failure: { error, attempts: earlier + 1 } };
    // It is alone in the next piece, in any batch.
    if (this.cuts.at(-1) !== middle.offset + 1) this.cuts.push(middle.offset + 1);
  }

  /** Set if the record was tried often enough. */
  givenUp(piece: readonly InputRecord[]): UnforeseenFailure | undefined {
    const [record] = piece;
    if (!this.suspect || record?.offset !== this.suspect.offset || piece.length !== 1) return undefined;
    return this.suspect.failure.attempts >= ATTEMPTS ? this.suspect.failure : undefined;
  }

  /** It was not set aside: it is tried once more before that is decided anew. */
  tryAgain(): void {
    if (!this.suspect) return;
    const { offset, failure } = this.suspect;
    this.suspect = { offset, failure: { ...failure, attempts: ATTEMPTS - 1 } };
  }

  /** Everything before this offset is committed. */
  passed(position: number): void {
    while ((this.cuts.at(-1) ?? Number.POSITIVE_INFINITY) <= position) this.cuts.pop();
    if (this.suspect && this.suspect.offset < position) this.suspect = undefined;
  }
}

export interface BlameOptions {
  /** Nothing more is taken on until `resumed`. */
  readonly halted?: (why: string) => void;
  readonly resumed?: () => void;
  /** Milliseconds. */
  readonly clock?: () => number;
}

interface Place {
  readonly partition: number;
  readonly offset: number;
}

interface Failed {
  /** Milliseconds. */
  readonly at: number;
  /** Records that were committed before it. */
  readonly after: number;
}

/** A fault of the service soon shows at many sources; failures further apart in time, or after many good records, are chance. */
const WINDOW_MS = 600_000;
const RUN_RECORDS = 100;
/** Sources with a failure each … */
const SOURCES = 3;
/** … or two of them, with so many each. */
const PAIR = 2;
const PAIR_FAILURES = 3;

/**
 * Decides whether an unforeseen failure is the record's fault or the service's. Failures of one source alone, however many, are the
 * records'; failures of several sources in a short run of records are the service's, as is one where a good record fails as well. Then
 * all of the service's partitions halt, rather than turn into dead letters one record after the other. Only the record that halted
 * them is tried again now and then, and when it goes through, the others go on. One for each process.
 */
export class Blame {
  private readonly options: BlameOptions;
  /** Records that failed lately, by source and place. */
  private readonly failures = new Map<string, Map<string, Failed>>();
  private records = 0;
  /** Records that halted their partition: offset by partition. */
  private readonly halting = new Map<number, number>();
  private isCommon = false;

  constructor(options: BlameOptions = {}) {
    this.options = options;
  }

  get isHalted(): boolean {
    return this.halting.size > 0;
  }

  /** Whether this partition is one whose record is tried again. */
  isHalting(partition: number): boolean {
    return this.halting.has(partition);
  }

  /** Returns if the record may be set aside. Throws PROCESSOR_HALTED if the fault is the service's: then it may not. */
  async judge(at: Place, sources: readonly string[], checkItself: () => Promise<void>): Promise<void> {
    if (this.isCommon) throw this.halt(at, 'records of several sources fail');
    try {
      await checkItself();
    } catch (cause) {
      throw this.halt(at, 'a good record fails too', cause);
    }
    for (const source of new Set(sources)) this.count(source, at);
    this.isCommon = this.areSeveral();
    if (this.isCommon) throw this.halt(at, 'records of several sources fail');
    this.release(at.partition);
  }

  /** So many more records are committed: everything of the partition before this offset. */
  passed(partition: number, position: number, records: number): void {
    this.records += records;
    const offset = this.halting.get(partition);
    if (offset === undefined || offset >= position) return;
    this.failures.clear();
    this.release(partition);
  }

  /** Another member has the partition, and its record, from now on. */
  forget(partition: number): void {
    this.release(partition);
  }

  private release(partition: number): void {
    if (!this.halting.delete(partition) || this.isHalted) return;
    this.isCommon = false;
    this.options.resumed?.();
  }

  /** A record that comes again, because it could not be set aside, is the same failure. */
  private count(source: string, { partition, offset }: Place): void {
    const records = this.failures.get(source) ?? new Map<string, Failed>();
    this.failures.set(source, records);
    records.delete(`${partition}/${offset}`);
    records.set(`${partition}/${offset}`, { at: this.now(), after: this.records });
    const [oldest] = records.keys();
    if (records.size > PAIR_FAILURES && oldest !== undefined) records.delete(oldest);
  }

  private areSeveral(): boolean {
    const [since, first] = [this.now() - WINDOW_MS, this.records - RUN_RECORDS];
    const recent = [...this.failures.values()].map(
      (records) => [...records.values()].filter(({ at, after }) => at > since && after >= first).length,
    );
    const several = (failures: number) => recent.filter((count) => count >= failures).length;
    return several(1) >= SOURCES || several(PAIR_FAILURES) >= PAIR;
  }

  private halt(at: Place, why: string, cause?: unknown): PipelineError {
    const isFirst = !this.isHalted;
    this.halting.set(at.partition, at.offset);
    if (isFirst) this.options.halted?.(why);
    return new PipelineError('PROCESSOR_HALTED', 'retry', why, { cause });
  }

  private now(): number {
    return (this.options.clock ?? performance.now.bind(performance))();
  }
}
