import { PipelineError } from '../../errors.ts';

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

/** A fault that is ours shows at many sources soon; what they have in common after longer, or after many good records, is chance. */
const WINDOW_MS = 600_000;
const RUN_RECORDS = 100;
/** Sources with a failure each … */
const SOURCES = 3;
/** … or two of them, with so many each. */
const PAIR = 2;
const PAIR_FAILURES = 3;

/**
 * Whose fault it is that the work on a record fails in a way nobody foresaw. Records of one source alone are never ours, however
 * many; those of several in a short run of records are, or when a good record fails as well. Then all of the service's partitions halt, rather than
 * turn into dead letters one record after the other. Only the record that halted them is tried again now and then, and when it
 * goes through, the others go on. One for each process.
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

  /** Returns if the record may be set aside. Throws PROCESSOR_HALTED if the fault is ours: then it may not. */
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

  /** Somebody else has the partition, and its record, from now on. */
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
