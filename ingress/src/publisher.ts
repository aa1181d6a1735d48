import type { GroupCommitProducer, PublishRecord } from '@email-events/core';

/** Where a request is durable now. */
export type Keeper = 'kafka' | 'spool';

export interface Publisher {
  /** Resolves when the request is durable. Rejects with PipelineError or Refused, whose code says how to answer. */
  publish(record: PublishRecord): Promise<Keeper>;
}

/** Without a spool: Kafka has it or nobody. */
export class KafkaPublisher implements Publisher {
  readonly #producer: Pick<GroupCommitProducer, 'publish'>;

  constructor(producer: Pick<GroupCommitProducer, 'publish'>) {
    this.#producer = producer;
  }

  async publish(record: PublishRecord): Promise<Keeper> {
    await this.#producer.publish(record);
    return 'kafka';
  }
}
