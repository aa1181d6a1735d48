import { randomUUID } from 'node:crypto';
import { createKafka, type KafkaSettings, silentLog, withAdmin } from '@email-events/core';
import { waitFor } from './stack.ts';

export interface PartitionOffset {
  readonly partition: number;
  readonly offset: string;
}

/**
 * Commits offsets of a group that has no members. By a transaction, since kafkajs's admin client would join the group
 * for it and now and then never comes back.
 */
export async function commitOffsets(
  settings: KafkaSettings,
  groupId: string,
  topic: string,
  partitions: readonly PartitionOffset[],
): Promise<void> {
  // The first group of a new broker makes its coordinator.
  await waitFor('the offsets are taken', async () => {
    const producer = createKafka(settings, 'test-offsets', silentLog).producer({
      transactionalId: `offsets-${randomUUID()}`,
      idempotent: true,
      maxInFlightRequests: 1,
    });
    await producer.connect();
    try {
      const transaction = await producer.transaction();
      await transaction.sendOffsets({
        consumerGroupId: groupId,
        topics: [{ topic, partitions: [...partitions] }],
      });
      await transaction.commit();
      return true;
    } finally {
      await producer.disconnect();
    }
  });
  // The commit is answered before the coordinator of the group has it.
  await waitFor('the offsets are committed', () =>
    withAdmin(settings, async (admin) => {
      const [found] = await admin.fetchOffsets({ groupId, topics: [topic] });
      return partitions.every(({ partition, offset }) =>
        found?.partitions.some((entry) => entry.partition === partition && entry.offset === offset),
      );
    }),
  );
}
