import { codeOf, type GroupCommitProducer, PipelineError, type PublishRecord } from '@email-events/core';
import type { Keeper, Publisher } from '../publisher.ts';
import type { Spool } from './spool.ts';

export interface SpooledPublisherOptions {
  readonly producer: Pick<GroupCommitProducer, 'publish' | 'health' | 'tooLarge'>;
  readonly spool: Pick<Spool, 'append' | 'health'>;
  /** Time without an acknowledgement after which a request goes to the spool as well. */
  readonly afterMs: number;
  readonly counts: { spooled(): void; refused(code: string): void };
}

/**
 * Kafka while it acknowledges, the spool while it does not. A request goes to the spool at once when Kafka is known to
 * be away or silent, and after `afterMs` when that is not known yet; then it may end up in Kafka twice, which readers
 * drop. With the spool out of order too, all is as it would be without one.
 */
export class SpooledPublisher implements Publisher {
  readonly #options: SpooledPublisherOptions;
  /** Requests that Kafka has had for longer than `afterMs`. While there are any, it gets no more. */
  #late = 0;

  constructor(options: SpooledPublisherOptions) {
    this.#options = options;
  }

  publish(record: PublishRecord): Promise<Keeper> {
    const { producer, spool } = this.#options;
    const tooLarge = producer.tooLarge(record);
    if (tooLarge) return Promise.reject(tooLarge);
    const away = producer.health() !== undefined || this.#late > 0;
    if (away && spool.health() === undefined) return this.#spool(record);
    return this.#publish(record);
  }

  async #spool(record: PublishRecord): Promise<Keeper> {
    const { spool, counts } = this.#options;
    try {
      await spool.append(record);
    } catch (error) {
      counts.refused(codeOf(error));
      throw error;
    }
    counts.spooled();
    return 'spool';
  }

  #publish(record: PublishRecord): Promise<Keeper> {
    const { producer, afterMs } = this.#options;
    return new Promise((resolve, reject) => {
      let attempt: Promise<void> | undefined;
      const spool = () => this.#spool(record).then(resolve);
      const timer = setTimeout(() => {
        this.#late++;
        attempt = spool();
        // If it fails, Kafka may still answer.
        attempt.catch(() => {});
      }, afterMs);
      const ended = () => {
        clearTimeout(timer);
        if (attempt) this.#late--;
      };
      producer.publish(record).then(
        () => {
          ended();
          resolve('kafka');
        },
        (error: unknown) => {
          ended();
          if (error instanceof PipelineError && error.disposition === 'reject') reject(error);
          else (attempt?.catch(spool) ?? spool()).catch(reject);
        },
      );
    });
  }
}
