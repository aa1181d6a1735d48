import type { Producer } from 'kafkajs';
import { PipelineError } from '../../errors.ts';
import { type KafkaSettings, silentLog, unreachable } from '../admin.ts';
import { createKafka } from '../client.ts';
import { isFenced } from './lanes.ts';
import { roundsOf } from './rounds.ts';
import type { OutputRecord } from './stage.ts';

const TRANSACTION_MS = 10_000;

/**
 * Writes for a command, each call one transaction. Opening it fences whoever opened one of the same name before: what that
 * one committed can be read from then on, and nothing more follows. So open first, then read what there is to do.
 */
export class TransactionalWriter {
  private readonly settings: KafkaSettings;
  private readonly producer: Producer;

  private constructor(settings: KafkaSettings, producer: Producer) {
    this.settings = settings;
    this.producer = producer;
  }

  /** Throws KAFKA_UNREACHABLE. */
  static async open(settings: KafkaSettings, name: string): Promise<TransactionalWriter> {
    const producer = createKafka(settings, name, silentLog).producer({
      transactionalId: `${settings.groupPrefix}-${name}`,
      // What a killed command leaves open holds up all who read committed records of its topics until the broker ends it.
      transactionTimeout: TRANSACTION_MS,
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition ?? 0,
    });
    const writer = new TransactionalWriter(settings, producer);
    try {
      await producer.connect();
      // kafkajs takes the producer id, which fences, when a transaction begins.
      await (await producer.transaction()).abort();
    } catch (error) {
      await producer.disconnect();
      throw writer.coded(error);
    }
    return writer;
  }

  /** All or nothing. Throws KAFKA_FENCED if another was opened since, KAFKA_UNREACHABLE, or what the broker says. */
  async write(outputs: readonly OutputRecord[]): Promise<void> {
    try {
      const transaction = await this.producer.transaction();
      try {
        for (const topicMessages of roundsOf(outputs))
          await transaction.sendBatch({ topicMessages, acks: -1 });
      } catch (error) {
        await transaction.abort().catch(() => {});
        throw error;
      }
      await transaction.commit();
    } catch (error) {
      throw this.coded(error);
    }
  }

  close(): Promise<void> {
    return this.producer.disconnect();
  }

  private coded(error: unknown): unknown {
    if (isFenced(error)) {
      return new PipelineError(
        'KAFKA_FENCED',
        'retry',
        'the same command was started elsewhere and goes on there',
        {
          cause: error,
        },
      );
    }
    return unreachable(error, this.settings) ?? error;
  }
}
