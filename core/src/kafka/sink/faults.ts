import { PipelineError } from '../../errors.ts';

/** A fault that shows in records of this many sources is no fault of theirs. */
const SEVERAL = 2;
/** Longer ago, it may have been another fault. Milliseconds. */
const REMEMBERED_MS = 3_600_000;

/**
 * Whose records a sink has failed of in a way that nobody foresaw. One source may send what breaks us; where records of several do,
 * it is the sink that is broken, and must stop rather than set one record after the other aside.
 */
export class SinkFaults {
  private readonly sink: string;
  private readonly now: () => number;
  private readonly seen = new Map<string, number>();

  constructor(sink: string, now: () => number) {
    this.sink = sink;
    this.now = now;
  }

  /** Throws SINK_UNEXPECTED (fatal) if others than this source had such records, too. */
  note(source: string, cause: unknown): void {
    for (const [other, at] of this.seen) if (this.now() - at > REMEMBERED_MS) this.seen.delete(other);
    this.seen.set(source, this.now());
    if (this.seen.size >= SEVERAL)
      throw this.fault(`records of ${this.seen.size} sources make it fail`, cause);
  }

  fault(why: string, cause: unknown): PipelineError {
    return new PipelineError('SINK_UNEXPECTED', 'fatal', `the sink ${this.sink} has a fault: ${why}`, {
      cause,
    });
  }
}
