import type PQueue from 'p-queue';
import type { Logger } from '../../log.ts';
import type { Sink } from '../../sink.ts';
import type { OffsetToCommit } from '../consume/membership.ts';
import type { DeadLetters } from './dead-letters.ts';
import type { SinkFaults } from './faults.ts';
import type { OffsetRange } from './intent.ts';
import type { SinkMeasures } from './measures.ts';

/** What the lanes of one assignment share. */
export interface LaneContext<R> {
  readonly sink: Sink<R>;
  readonly deadLetters: Pick<DeadLetters, 'publish'>;
  /** Writes at a time. */
  readonly writes: PQueue;
  readonly measures: SinkMeasures;
  /** Of all assignments that this process has had. */
  readonly faults: SinkFaults;
  readonly log: Logger;
  readonly now: () => number;
  /** How long to wait before the next of so many tries. Milliseconds. */
  readonly backoff: (attempts: number) => number;
  /** Aborts when the assignment ends: nothing may be committed from then on. */
  readonly lost: AbortSignal;
  /** Aborts when the service stops: a write under way goes on, waiting for a better time does not. */
  readonly halted: AbortSignal;
  /** Aborts when writes under way must end too. */
  readonly abort: AbortSignal;
  /** One request. Throws LaneLost if the assignment has ended. */
  commit(offsets: readonly OffsetToCommit[]): Promise<void>;
  /** First offset that each partition still has. */
  lowOffsets(ranges: readonly OffsetRange[]): Promise<OffsetRange[]>;
  /** Undefined: the sink works. */
  report(lane: string, problem: string | undefined): void;
  /** There is room in the lane's buffer again. */
  drained(lane: string): void;
}
