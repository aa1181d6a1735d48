import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { PipelineError } from '../../../errors.ts';
import { partitionTransactionalId } from '../../names.ts';
import type { PartitionClient } from '../partition-client.ts';
import type { LastOffset, OnRecords, OutputRecord } from '../stage.ts';
import type { MemoryKafka, MemoryTransaction } from './memory-kafka.ts';

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
        const offset = kafka.committedOffset(groupId, topic, partition);
        return offset < 0 ? null : offset;
      },
      transact: (outputs, position) =>
        this.transact(transactionalId, current, outputs, () => {
          if (position !== undefined) kafka.commitOffset(groupId, topic, partition, position);
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
      for (const { topic, partition, key, value } of outputs) {
        const last = kafka.append(topic, partition, { key, value }, transaction);
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
