import { type KafkaSettings, withAdmin } from '@email-events/core';
import { waitFor } from './wait.ts';

/** Makes topics, each with so many partitions. Resolves when records can be sent to them. */
export async function makeTopics(
  settings: KafkaSettings,
  names: readonly string[],
  partitions = 1,
): Promise<void> {
  await withAdmin(settings, async (admin) => {
    // kafkajs's own wait takes a broker that has not heard of the topic yet for a failure.
    const topics = names.map((topic) => ({ topic, numPartitions: partitions }));
    await admin.createTopics({ topics, waitForLeaders: false });
    await waitFor('the topics have leaders', async () => {
      const found = await admin.fetchTopicMetadata({ topics: [...names] });
      return found.topics.every((topic) => topic.partitions.length === partitions);
    });
  });
}
