import { eventTopics, topicCatalogue, topics } from '@email-events/schemas';
import type { PipelineConfig } from '../services.ts';

/** A topic whose older records may name a recipient, and until when. */
export interface Remains {
  readonly topic: string;
  /** Epoch milliseconds; null: there is no such time. */
  readonly until: number | null;
  readonly why: string;
}

const NAMING: readonly string[] = [
  ...[topics.raw, topics.quarantine, topics.normalized, ...eventTopics, topics.deadLetters],
  ...[topics.operatorActions, topics.eventMarks, topics.replays, topics.suppressions, topics.recipientState],
];
/** Kafka's own, where a topic has none. */
const SEGMENT_MS = 7 * 86_400_000;
const BY_TIME = 'requests and events of before are kept until then';
const COMPACTED =
  'what was said of the address goes with the first compaction, its key with a later one, if records keep coming and the topic was given these limits (`topics apply`)';
const FOR_GOOD = 'what operators said of the address and its events before is kept for good';

/**
 * Topics in which records of before an erasure stay for a time: Kafka cannot take single records out. By the retention that `topics apply` gives them: an operator
 * may not look whether a topic has it.
 * Pure. `now`: epoch milliseconds.
 */
export function remainsInKafka({ topics: settings }: Pick<PipelineConfig, 'topics'>, now: number): Remains[] {
  return topicCatalogue(settings)
    .filter(({ name }) => NAMING.includes(name))
    .map(({ name: topic, config }) => {
      if (config['cleanup.policy'] === 'compact') {
        // The end of the key is kept after the compaction that finds it, and gone with the one after that.
        const [lag, ends] = [Number(config['max.compaction.lag.ms']), Number(config['delete.retention.ms'])];
        return { topic, until: now + lag + ends + lag, why: COMPACTED };
      }
      const kept = Number(config['retention.ms']);
      if (!(kept >= 0)) return { topic, until: null, why: FOR_GOOD };
      // A segment goes as a whole, when the last of it does.
      return { topic, until: now + kept + Number(config['segment.ms'] ?? SEGMENT_MS), why: BY_TIME };
    });
}
