import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { PipelineError } from '../../errors.ts';
import { partitionTransactionalId } from '../names.ts';
import type { InputRecord } from '../records.ts';
import type { PartitionClient, Position } from '../transact/partition-client.ts';
import type { LastOffset, OnRecords, OutputRecord } from '../transact/stage.ts';

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
 * As much of a Kafka cluster as the transactional loop needs, in memory: logs with transaction markers, read_committed,
 * offsets in transactions, and fencing by transactional id. For tests that go through every failure quickly.
 */
export class MemoryKafka {
  /** Next epoch by transactional id. */
  readonly epochs = new Map<string, number>();
  readonly openTransactions = new Map<string, { abort(): void }>();
  private readonly logs = new Map<string, Entry[]>();
  private readonly offsets = new Map<string, Position>();

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

  commitOffset(
    group: string,
    topic: string,
    partition: number,
    offset: number,
    note: string | null = null,
  ): void {
    this.offsets.set(`${group}/${topic}/${partition}`, { offset, note });
  }

  position(group: string, topic: string, partition: number): Position | null {
    return this.offsets.get(`${group}/${topic}/${partition}`) ?? null;
  }

  /** -1: nothing was ever committed. */
  committedOffset(group: string, topic: string, partition: number): number {
    return this.position(group, topic, partition)?.offset ?? -1;
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

/** A step of a transaction at which a test may interfere. */
export type Moment = 'send' | 'offsets' | 'commit' | 'committed';

/** A process's connection, as lanes use it. It can be killed and frozen as a process can. */
export class MemoryClient {
  /** Called before each step ('committed': after the commit, before its answer); what it throws is the answer. */
  interfere: (moment: Moment) => void = () => {};
  private readonly kafka: MemoryKafka;
  private dead = false;
  private frozen: { promise: Promise<void>; resolve(): void } | undefined;

  constructor(kafka: MemoryKafka) {
    this.kafka = kafka;
  }

  /** kill -9: nothing that was asked is answered any more. */
  kill(): void {
    this.dead = true;
    this.resume();
  }

  /** SIGSTOP. */
  pause(): void {
    this.frozen ??= Promise.withResolvers<void>();
  }

  /** SIGCONT. */
  resume(): void {
    this.frozen?.resolve();
    this.frozen = undefined;
  }

  partition(groupId: string, topic: string, partition: number): PartitionClient {
    const { kafka } = this;
    const transactionalId = partitionTransactionalId(groupId, topic, partition);
    let epoch: number | undefined;
    const current = async (moment: Moment) => {
      await this.gate(moment);
      if (epoch !== kafka.epochs.get(transactionalId)) throw fenced();
    };
    return {
      open: async () => {
        await this.gate();
        epoch = (kafka.epochs.get(transactionalId) ?? -1) + 1;
        kafka.epochs.set(transactionalId, epoch);
        kafka.openTransactions.get(transactionalId)?.abort();
      },
      committed: async () => {
        await this.gate();
        return kafka.position(groupId, topic, partition);
      },
      transact: (outputs, position) =>
        this.transact(transactionalId, current, outputs, () => {
          if (position) kafka.commitOffset(groupId, topic, partition, position.offset, position.note);
        }),
      requireReaches: async (offset) => {
        await this.gate();
        if (kafka.end(topic, partition) < offset)
          throw new PipelineError('KAFKA_LOG_TRUNCATED', 'fatal', 'the partition ends before');
      },
      read: (of, own, fromOffset, onRecords) => this.read(of, own, fromOffset, onRecords),
      close: () => {},
    };
  }

  private async read(
    topic: string,
    partition: number,
    fromOffset: number,
    onRecords: OnRecords,
  ): Promise<void> {
    for (let next = fromOffset; ; ) {
      await this.gate();
      const records = this.kafka.committed(topic, partition, next).slice(0, BATCH_RECORDS);
      const last = records.at(-1);
      if (!last) continue;
      next = last.offset + 1;
      if (await onRecords(records)) return;
    }
  }

  private async transact(
    transactionalId: string,
    current: (moment: Moment) => Promise<void>,
    outputs: readonly OutputRecord[],
    commitPosition: () => void,
  ): Promise<LastOffset> {
    const { kafka } = this;
    const transaction: MemoryTransaction = { status: 'open' };
    const touched = new Map<string, { topic: string; partition: number; last: number }>();
    const end = (status: 'committed' | 'aborted') => {
      if (transaction.status !== 'open') return;
      transaction.status = status;
      for (const { topic, partition } of touched.values()) kafka.marker(topic, partition, transaction);
      kafka.openTransactions.delete(transactionalId);
    };
    try {
      await current('send');
      kafka.openTransactions.set(transactionalId, { abort: () => end('aborted') });
      for (const { topic, partition, key, value, headers = {} } of outputs) {
        const last = kafka.append(topic, partition, { key, value, headers }, transaction);
        touched.set(`${topic}/${partition}`, { topic, partition, last });
      }
      await current('offsets');
      await current('commit');
    } catch (error) {
      end('aborted');
      throw error;
    }
    end('committed');
    commitPosition();
    await this.gate('committed');
    return (topic, partition) => {
      const written = touched.get(`${topic}/${partition}`);
      if (!written) throw new Error(`nothing was written to ${topic}/${partition}`);
      return written.last;
    };
  }

  private async gate(moment?: Moment): Promise<void> {
    await yieldToOthers();
    await this.frozen?.promise;
    if (this.dead) await new Promise(() => {});
    if (moment) this.interfere(moment);
  }
}

const BATCH_RECORDS = 100;

const fenced = () => Object.assign(new Error('fenced'), { type: 'INVALID_PRODUCER_EPOCH' });
