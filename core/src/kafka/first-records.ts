import { type KafkaSettings, silentLog } from './admin.ts';
import { createBrokers } from './client.ts';
import { AnswerIncomplete, unreachable } from './errors.ts';
import { type ReadRecord, readTopic, type TopicPosition } from './reader.ts';
import { keyOf } from './wire/ask-leaders.ts';
import { logBounds, partitionsOfAll } from './wire/offsets.ts';

/** What a partition begins with. */
export interface FirstRecord {
  readonly partition: number;
  /** True: records were there before, and have expired. */
  readonly hasExpired: boolean;
  /** Null: there is none (any more). */
  readonly record: ReadRecord | null;
}

/** The first committed record of each partition, as far as it is kept. Throws as readTopic does. */
export async function firstRecords(settings: KafkaSettings, topic: string): Promise<FirstRecord[]> {
  const partitions = await beginnings(settings, topic);
  return Promise.all(
    partitions.map(async ({ partition, low, isEmpty }) => {
      const at = { topic, partition, offset: BigInt(low) };
      // Each by a reader of its own, which ends with the first record, or at the end of a partition that has none but markers.
      return { partition, hasExpired: low > 0, record: isEmpty ? null : await firstFrom(settings, at) };
    }),
  );
}

async function firstFrom(settings: KafkaSettings, at: TopicPosition): Promise<ReadRecord | null> {
  const found = new AbortController();
  let first: ReadRecord | null = null;
  const { signal } = found;
  const onRecord = (record: ReadRecord) => {
    first ??= record;
    found.abort();
  };
  await readTopic(settings, { topics: [at.topic], from: { positions: [at] }, signal, onRecord });
  return first;
}

async function beginnings(settings: KafkaSettings, topic: string) {
  const brokers = createBrokers(settings, 'reader', silentLog);
  try {
    const partitions = await partitionsOfAll(brokers, [topic]);
    const bounds = await logBounds(brokers, partitions);
    return partitions.map((of) => {
      const own = bounds.get(keyOf(of));
      if (!own) throw new AnswerIncomplete(keyOf(of));
      return { partition: of.partition, low: own.low, isEmpty: own.low >= own.high };
    });
  } catch (error) {
    throw unreachable(error, settings) ?? error;
  } finally {
    brokers.close();
  }
}
