import type { InputRecord } from '../records.ts';

/** A record to write. The partition is always chosen by the writer. */
export interface OutputRecord {
  readonly topic: string;
  readonly partition: number;
  readonly key: string | Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: { readonly [name: string]: Buffer };
}

/** Offset of the last record that a transaction wrote to a partition. Throws for one to which it wrote nothing. */
export type LastOffset = (topic: string, partition: number) => number;

/** A stage's result for a batch of records: all of it in one transaction, or nothing. */
export interface Step {
  readonly outputs: readonly OutputRecord[];
  /** How many of the records this is about, from the first on, at least one; absent: all. The rest comes in another transaction. */
  readonly taken?: number;
  /** Records with something that is a dead letter now because the work on it failed with an unforeseen error. */
  readonly unforeseen?: readonly Unforeseen[];
  /** Committed with the position, in place of the note before. At most MAX_NOTE characters. Absent: that one stays. A cluster that refuses it gets none. */
  readonly note?: string;
  /** Called once the transaction is committed: the moment to update local state. */
  committed?(lastOffset: LastOffset): void | Promise<void>;
}

/** Brokers take 4,096 (offset.metadata.max.bytes), unless they are told otherwise. */
export const MAX_NOTE = 4_000;

/**
 * One partition's share of a processor. Made anew whenever the partition is (re)gained or something failed,
 * so it may trust nothing in memory that was not opened by itself.
 */
export interface Stage {
  /** After earlier owners were fenced off: no other stage writes for this partition from now on. Restores state. */
  open(partition: OwnedPartition): Promise<void>;
  /**
   * Never called twice at a time. Changes nothing that outlives it before `committed`. What it throws decides: an outage
   * (see isOfRecords) makes a new stage try the batch again; anything else is taken for the records' fault, and the same stage is
   * asked for fewer and fewer of them, in order, until the one is found.
   */
  process(records: readonly InputRecord[]): Promise<Step>;
  /** Gives up on a record on which its work fails with an unforeseen error: a dead letter that can be replayed, and what else is due. */
  setAside(record: InputRecord, failure: UnforeseenFailure): Promise<Step>;
  /** Does the same work on a record that is good and ships with the service, and forgets it. Throws if even that fails. */
  checkItself(): Promise<void>;
  /** Forgets local resources. */
  close(): Promise<void>;
}

/** Of one record, alone. */
export interface UnforeseenFailure {
  readonly error: unknown;
  readonly attempts: number;
}

export interface Unforeseen {
  readonly offset: number;
  /** Whose data it fails on: names of accounts, and of sources that have none. */
  readonly sources: readonly string[];
}

/** A stage's access to its partition while it opens. */
export interface OwnedPartition {
  readonly partition: number;
  /** Offset from which on it is given records; 0: nothing was ever committed, or nothing but that. */
  readonly position: number;
  /** What the last transaction committed beside the position. Null: nothing, or another tool has moved the position since. */
  readonly note: string | null;
  /** Writes in a separate transaction. */
  write(outputs: readonly OutputRecord[]): Promise<LastOffset>;
  /** Reads committed records of one partition in order, in batches, until `onRecords` says that it has all it wants. */
  read(topic: string, partition: number, fromOffset: number, onRecords: OnRecords): Promise<void>;
}

/** Takes the next records; true when no more are wanted. */
export type OnRecords = (records: readonly InputRecord[]) => boolean | Promise<boolean>;
