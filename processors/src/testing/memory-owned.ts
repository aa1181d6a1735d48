import type { OwnedPartition } from '@email-events/core';
import { MemoryClient, type MemoryKafka } from '@email-events/core/testing';

/** What a stage is given when it opens, on a cluster in memory. Earlier owners are fenced by nobody here. */
export async function ownedPartition(kafka: MemoryKafka, partition: number): Promise<OwnedPartition> {
  const client = new MemoryClient(kafka);
  const owner = client.partition('owner', 'input', partition);
  await owner.open();
  return {
    partition,
    write: (outputs) => owner.transact(outputs),
    read: async (topic, of, fromOffset, onRecords) => {
      const records = kafka.committed(topic, of, fromOffset);
      // In pieces, as they come from a broker.
      for (let i = 0; i < records.length; i += 3) if (await onRecords(records.slice(i, i + 3))) return;
      throw new Error('the end was reached before it was seen');
    },
  };
}
