/**
 * Where typed records go: a database, a CRM. One package each; the runner in core does the rest.
 * A sink never sees an offset, never retries by itself and never commits.
 */
export interface Sink<R> extends Cutting<R>, FaultFinding<R> {
  readonly name: string;
  /**
   * True: it is idempotent by record, in any batch. A batch that has to be tried again may come with
   * more records behind it, and in parts: the id of a batch means nothing to it. What was delivered may be asked for again.
   * A write under way is aborted when the lane goes to another instance, which may already write newer records.
   */
  readonly byRecord?: boolean;
  /** Imitates a real write without leaving a trace. Throws if the sink cannot work now. Called at start and by readiness. */
  check(signal: AbortSignal): Promise<void>;
  /**
   * Writes a batch and says what became of each record, in the same order.
   * Called again with the same batch (same id, same records) after a crash or a `retry` verdict, so it must be idempotent
   * by `batch.id` or by record. Throws only when nothing is known about any record: the runner retries the whole batch.
   */
  write(batch: SinkBatch<R>, signal: AbortSignal): Promise<readonly SinkVerdict[]>;
  /** Closes connections. No write is under way and none follows. */
  close(): Promise<void>;
}

/** For a sink that writes a batch as several pieces, each of them all or nothing. Both members, or neither. */
export interface Cutting<R> {
  /**
   * Names the way in which new batches are cut, without spaces. It is announced with a batch, and every instance that finishes the batch
   * cuts it in just that way: another way has another name, and a sink keeps every way that it ever announced.
   */
  readonly cut?: string;
  /**
   * Everything up to the first byte that is sent, for records that came to the sink: pure, so that it may be called for any records,
   * and throws for a record what writing it would throw. Cut undefined: as before there were pieces. Throws SINK_CUT_UNKNOWN (fatal).
   */
  prepare?(records: readonly SinkRecord<R>[], cut: string | undefined): Promise<readonly SinkPiece[]>;
}

/** Makes it possible to distinguish a bad record from a fault of the sink. */
export interface FaultFinding<R> {
  /** The source of a record, such as the webhook that reported it. A fault in records of several sources is the sink's. */
  sourceOf?(record: SinkRecord<R>): string;
  /** A record that `prepare` takes, unless the sink has a fault. */
  readonly example?: SinkRecord<R>;
}

/** Records of a batch that are written together. Pieces of a batch are written one by one, in any order. */
export interface SinkPiece {
  /** Its name within the batch, the same each time these records are cut; empty for a piece that is the batch. */
  readonly key: string;
  /** Its records, by their index in what was prepared. */
  readonly indexes: readonly number[];
  /** As `write` of a sink, one verdict for each of `indexes`. The id is of this piece of this batch and of no other. */
  write(id: string, signal: AbortSignal): Promise<readonly SinkVerdict[]>;
}

export interface SinkBatch<R> {
  /** The same for every attempt to write these records, on every instance, and for no other records. */
  readonly id: string;
  readonly records: readonly SinkRecord<R>[];
}

export interface SinkRecord<R> {
  readonly topic: string;
  readonly key: string | null;
  /** Null: a tombstone. */
  readonly value: R | null;
  /** The same in Avro, for a sink that need make no object of it. Undefined if it cannot be read, or was never written. */
  readonly encoded?: EncodedValue | undefined;
  /** Epoch milliseconds. */
  readonly timestamp: number;
  /** It follows from what was put back: a replay, a backfill. Default: it does not. */
  readonly isPutBack?: boolean;
  /** How often this record was tried before, from 0. */
  readonly attempts: number;
}

export interface EncodedValue {
  readonly bytes: Buffer;
  /** Where the value begins: behind the frame. */
  readonly start: number;
  readonly key: Buffer | null;
  /** Avro schema of its writer as JSON: the same object each time, so that what is made of it can be kept. */
  readonly writer: object;
}

export type SinkVerdict =
  | { readonly outcome: 'delivered' }
  /** Try again: after this long, or when the runner sees fit. Everything behind it in its lane waits. */
  | {
      readonly outcome: 'retry';
      readonly code: string;
      readonly afterMs?: number;
      /** It may have been too much at a time: later batches of the lane are smaller for a while. This one stays as it is. */
      readonly smaller?: boolean;
    }
  /** This record can never be written. */
  | { readonly outcome: 'dead-letter'; readonly code: string; readonly message: string };

export const DELIVERED: SinkVerdict = { outcome: 'delivered' };
