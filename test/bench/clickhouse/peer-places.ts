import { withAdmin } from '@email-events/core';
import { EVENT_TYPES, topics } from '@email-events/schemas';
import type { ClickHouse } from '@email-events/sink-clickhouse';
import type { SinkStack } from './stack.ts';

/** The same tables in another database. */
export async function peerTables(stack: SinkStack, database: string): Promise<ClickHouse> {
  const clickhouse = await stack.database(database);
  // Kafka's key is not part of the value: what our sink takes from it, the table works out.
  await clickhouse.command(
    'ALTER TABLE email_events MODIFY COLUMN recipient_key String DEFAULT lowerUTF8(recipient)',
  );
  return clickhouse;
}

/** As many partitions as those of the project. */
export async function createPeerTopics({ config }: SinkStack, prefix: string): Promise<void> {
  const { partitions } = config.topics;
  await withAdmin(config.kafka, async (admin) => {
    await admin.createTopics({
      topics: EVENT_TYPES.map((type) => ({
        ...{ topic: prefix + topics.events(type), numPartitions: partitions, replicationFactor: 1 },
        configEntries: [{ name: 'max.message.bytes', value: '2097152' }],
      })),
    });
  });
}
