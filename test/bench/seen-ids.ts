import { randomBytes } from 'node:crypto';
import type { PipelineConfig } from '@email-events/cli/services';
import { createKafka, silentLog } from '@email-events/core';
import { Codec, type SeenBatch, topics } from '@email-events/schemas';

/** As many ids as one busy transaction of `events` adds. */
export const IDS_A_RECORD = 5_000;
const RECORDS_A_SEND = 10;
const HOUR_MS = 3_600_000;
/** The ids are spread over six of the window's seven days. */
const SPREAD_HOURS = 144;

/** Adds so many random ids to the changelog of the dedupe window, over all partitions in turn. No `events` runs meanwhile. */
export async function fillSeenIds(
  config: PipelineConfig,
  { ids, partitions }: { readonly ids: number; readonly partitions: number },
): Promise<void> {
  const encoder = await new Codec({ url: config.registry.url }).encoder<SeenBatch>(topics.seen, 'seen');
  const producer = createKafka(config.kafka, 'bench-fill', silentLog).producer();
  await producer.connect();
  for (let written = 0; written < ids; ) {
    const messages = [];
    for (let r = 0; r < RECORDS_A_SEND && written < ids; r++) {
      const count = Math.min(IDS_A_RECORD, ids - written);
      const seen_at = Date.now() - Math.floor(((ids - written) / ids) * SPREAD_HOURS) * HOUR_MS;
      const received = written + count;
      const value = encoder.encode({
        ids: randomBytes(count * 16),
        seen_at,
        received,
        emitted: received,
        duplicates: 0,
        dead_lettered: 0,
        erased: 0,
        barrier: null,
      });
      messages.push({ partition: (written / IDS_A_RECORD) % partitions, value });
      written += count;
    }
    await producer.send({ topic: topics.seen, acks: -1, messages });
  }
  await producer.disconnect();
}
