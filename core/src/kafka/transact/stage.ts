import type { InputRecord } from '../../dead-letter.ts';

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

/** What a stage wants done with a batch of records: all of it in one transaction, or nothing. */
export interface Step {
  readonly outputs: readonly OutputRecord[];
  /** Called once the transaction is committed: the moment to update local state. */
  committed?(lastOffset: LastOffset): void | Promise<void>;
}

/**
 * One partition's share of a processor. Made anew whenever the partition is (re)gained or something failed,
 * so it may trust nothing in memory that was not opened by itself.
 */
export interface Stage {
  /** After earlier owners were fenced off: nobody else writes for this partition from now on. Restores state. */
  open(partition: OwnedPartition): Promise<void>;
  /** Never called twice at a time. Throws if it cannot know what to do: the batch is tried again by a new stage. */
  process(records: readonly InputRecord[]): Promise<Step>;
  /** Forgets local resources. */
  close(): Promise<void>;
}

/** What a stage may do while it opens. */
export interface OwnedPartition {
  readonly partition: number;
  /** Writes in a transaction of its own. */
  write(outputs: readonly OutputRecord[]): Promise<LastOffset>;
  /** Reads committed records of one partition in order, in batches, until `onRecords` says that it has all it wants. */
  read(topic: string, partition: number, fromOffset: number, onRecords: OnRecords): Promise<void>;
}

/** Takes the next records; true when no more are wanted. */
export type OnRecords = (records: readonly InputRecord[]) => boolean | Promise<boolean>;
