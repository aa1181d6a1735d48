import { lagSince, PipelineError } from '@email-events/core';
import { eventTopics } from '@email-events/schemas';
import { consumerGroups, type PipelineConfig } from '../services.ts';

/** Events that came out within this time may still be on their way to ClickHouse. */
const MARGIN_MS = 10_000;

/**
 * Makes sure that ClickHouse holds the events that came out up to a few seconds ago, for whoever asks it which there are.
 * Throws CLI_SINK_BEHIND.
 */
export async function requireSinkInStep(config: PipelineConfig, now: number): Promise<void> {
  const group = consumerGroups(config).find(({ service }) => service === 'sink-clickhouse');
  if (!group) return;
  const behind = await lagSince(config.kafka, { ...group, topics: eventTopics }, now - MARGIN_MS);
  if (behind.length === 0) return;
  const partitions = behind.map(({ topic, partition }) => `${topic}/${partition}`).join(', ');
  throw new PipelineError(
    'CLI_SINK_BEHIND',
    'retry',
    `sink-clickhouse has not written all events yet: ${partitions}`,
  );
}
