import type { InputRecord } from '../../../dead-letter.ts';

/** A transaction or, for what was written without one, a committed one. */
export interface MemoryTransaction {
  status: 'open' | 'committed' | 'aborted';
}

interface Entry {
  /** Null: a transaction marker. */
  readonly record: InputRecord | null;
  readonly transaction: MemoryTransaction;
}

export interface MemoryMessage {
  readonly key?: string | Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: { readonly [name: string]: Buffer };
}

const COMMITTED: MemoryTransaction = { status: 'committed' };

/**
 * What the transactional loop needs of a Kafka cluster, in memory: logs with transaction markers, read_committed,
 * offsets in transactions, and fencing by transactional id. For tests that go through every failure quickly.
 */
export class MemoryKafka {
  /** Next epoch by transactional id. */
  readonly epochs = new Map<string, number>();
  readonly openTransactions = new Map<string, { abort(): void }>();
  private readonly logs = new Map<string, Entry[]>();
  private readonly offsets = new Map<string, number>();

  /** Writes without a transaction. Returns the offset. */
  produce(topic: string, partition: number, message: MemoryMessage): number {
    return this.append(topic, partition, message, COMMITTED);
  }

  append(topic: string, partition: number, message: MemoryMessage, transaction: MemoryTransaction): number {
    const log = this.log(topic, partition);
    const { key = null, value, headers = {} } = message;
    const offset = log.length;
    const bytes = typeof key === 'string' ? Buffer.from(key) : key;
    const record = { topic, partition, offset, key: bytes, value, headers, timestamp: 0 };
    log.push({ record, transaction });
    return offset;
  }

  marker(topic: string, partition: number, transaction: MemoryTransaction): void {
    this.log(topic, partition).push({ record: null, transaction });
  }

  /** Committed records from an offset up to the first transaction that is still open. */
  committed(topic: string, partition: number, fromOffset = 0): InputRecord[] {
    const records: InputRecord[] = [];
    for (const { record, transaction } of this.log(topic, partition).slice(fromOffset)) {
      if (record && transaction.status === 'open') break;
      if (record && transaction.status === 'committed') records.push(record);
    }
    return records;
  }

  /** Offset up to which everything is decided: the end unless a transaction is open. */
  stableEnd(topic: string, partition: number): number {
    const log = this.log(topic, partition);
    const open = log.findIndex(({ record, transaction }) => record && transaction.status === 'open');
    return open === -1 ? log.length : open;
  }

  /** Offset after the last entry, decided or not: the high watermark. */
  end(topic: string, partition: number): number {
    return this.log(topic, partition).length;
  }

  commitOffset(group: string, topic: string, partition: number, offset: number): void {
    this.offsets.set(`${group}/${topic}/${partition}`, offset);
  }

  /** -1: nothing was ever committed. */
  committedOffset(group: string, topic: string, partition: number): number {
    return this.offsets.get(`${group}/${topic}/${partition}`) ?? -1;
  }

  partitionsOf(topic: string): number[] {
    return [...this.logs.keys()]
      .filter((name) => name.startsWith(`${topic}/`))
      .map((name) => Number(name.slice(topic.length + 1)))
      .sort((a, b) => a - b);
  }

  private log(topic: string, partition: number): Entry[] {
    const name = `${topic}/${partition}`;
    const log = this.logs.get(name) ?? [];
    this.logs.set(name, log);
    return log;
  }
}
