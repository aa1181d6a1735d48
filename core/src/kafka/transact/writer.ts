import { PipelineError } from '../../errors.ts';
import type { Brokers } from '../client/brokers.ts';
import { createBrokers, type KafkaSettings, silentLog } from '../client/client.ts';
import { roundsOf } from '../client/produce.ts';
import { isFenced, isUnreachable, noBrokerAnswers } from '../errors.ts';
import { commandTransactionalId } from '../names.ts';
import { TransactionalProducer } from './producer.ts';
import type { OutputRecord } from './stage.ts';

const TRANSACTION_MS = 10_000;

/**
 * Writes for a command, each call one transaction. Opening it fences an earlier writer of the same name: all that it
 * committed can be read from then on, and nothing more follows. So open first, then read what there is to do.
 */
export class TransactionalWriter {
  private readonly settings: KafkaSettings;
  private readonly brokers: Brokers;
  private readonly producer: TransactionalProducer;

  private constructor(settings: KafkaSettings, name: string) {
    this.settings = settings;
    this.brokers = createBrokers(settings, name, silentLog);
    this.producer = new TransactionalProducer(this.brokers, {
      transactionalId: commandTransactionalId(settings.groupPrefix, name),
      // A transaction of a killed command holds up all readers of committed records of its topics until the broker ends it.
      transactionTimeoutMs: TRANSACTION_MS,
      requestTimeoutMs: settings.requestTimeoutMs,
    });
  }

  /** Throws KAFKA_UNREACHABLE. */
  static async open(settings: KafkaSettings, name: string): Promise<TransactionalWriter> {
    const writer = new TransactionalWriter(settings, name);
    try {
      await writer.producer.open();
    } catch (error) {
      writer.brokers.close();
      throw writer.coded(error);
    }
    return writer;
  }

  /** All or nothing. Throws KAFKA_FENCED if another was opened since, KAFKA_UNREACHABLE, or what the broker says. */
  async write(outputs: readonly OutputRecord[]): Promise<void> {
    try {
      await this.producer.transact(roundsOf(outputs));
    } catch (error) {
      throw this.coded(error);
    }
  }

  async close(): Promise<void> {
    this.brokers.close();
  }

  private coded(error: unknown): unknown {
    if (isFenced(error)) {
      return new PipelineError(
        'KAFKA_FENCED',
        'retry',
        'the same command was started elsewhere and goes on there',
        { cause: error },
      );
    }
    return isUnreachable(error) ? noBrokerAnswers(this.settings.brokers, error) : error;
  }
}
