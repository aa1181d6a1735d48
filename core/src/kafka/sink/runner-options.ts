import type { Codec } from '@email-events/schemas';
import type { CommonConfig } from '../../config/index.ts';
import type { Logger, Registry } from '../../telemetry.ts';
import type { Traces } from '../../tracing/traces.ts';
import type { LaneOf } from './assignment.ts';
import type { BufferLimits } from './batch.ts';
import type { RecordReader } from './entry.ts';
import type { Sink } from './sink.ts';

export interface SinkRunnerOptions<R> extends BufferLimits {
  readonly kafka: CommonConfig['kafka'];
  readonly deadLetterPartitions: number;
  readonly codec: Codec;
  /** Service name: part of the client id, stage of its dead letters and, after the group prefix, the consumer group. */
  readonly name: string;
  readonly topics: readonly string[];
  /** Topic by which records come back that a sink refused; its lanes are those that laneOf says. */
  readonly replays?: string;
  /** Records of one lane are batched together and written in order. */
  readonly laneOf: LaneOf;
  readonly reader: RecordReader<R>;
  readonly sink: Sink<R>;
  /** Writes at a time. */
  readonly concurrency: number;
  /** Pieces a second that the lanes of the same topics write together, on all instances. Undefined: as they come. */
  readonly piecesPerSecond?: number;
  /** By how much a lane's pieces may be ahead of its share of that, but for one a batch. Milliseconds; default: 0. */
  readonly piecesAheadMs?: number;
  /** Time for writes under way when it is stopped; then they are aborted. */
  readonly stopMs?: number;
  /**
   * Told the share of all partitions of `topics` that this instance has, from 0 to 1, whenever that changes; the shares of all instances add up to
   * one. Undefined: partitions move, so that it is not known for a moment.
   */
  readonly onShare?: (share: number | undefined) => void;
  readonly metrics: Registry;
  /** Default: none. */
  readonly traces?: Traces | undefined;
  readonly log: Logger;
}

export interface RunningSink {
  readonly groupId: string;
  /** By dependency; undefined when it works, else the code of what keeps it from working. */
  readonly readiness: {
    readonly kafka: () => string | undefined;
    readonly sink: () => Promise<string | undefined>;
    /** Schemas are asked for once each: this is wrong only while a record waits for one. */
    readonly registry: () => string | undefined;
    /** Lanes of which a batch has to be tried again, by name and with the code: `events-3: CODE`. */
    readonly lanes: () => string | undefined;
  };
  /**
   * Whether all that was committed to its partitions so long ago has been read, and is written or about to be. False while it has no
   * partitions, or does not know.
   */
  isCurrent(withinMs: number): boolean;
  /** Ends the writes under way and leaves the group; what is not written is left to the next owner. */
  stop(): Promise<void>;
  /** Resolves after stop; rejects when it cannot go on. */
  readonly done: Promise<void>;
}
