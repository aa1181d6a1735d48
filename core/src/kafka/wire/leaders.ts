import { AnswerIncomplete, LEADER_NOT_AVAILABLE } from '../errors.ts';
import { createErrorFromCode } from './kafkajs-parts.ts';
import type { MetadataAnswer } from './requests.ts';

interface TopicLeaders {
  /** By partition; -1: none. */
  readonly leaders: ReadonlyMap<number, number>;
  readonly errorCode: number;
}

/** Who led which partition when somebody last asked. */
export class Leaders {
  private readonly topics = new Map<string, TopicLeaders>();
  private readonly wanted = new Set<string>();

  /** What is asked for once is asked for always, so that no answer makes another topic unknown. */
  want(topics: readonly string[]): ReadonlySet<string> {
    for (const topic of topics) this.wanted.add(topic);
    return new Set(this.wanted);
  }

  knows(topic: string): boolean {
    return (this.topics.get(topic)?.leaders.size ?? 0) > 0;
  }

  /** In order. Throws what the broker said of the topic. */
  partitionsOf(topic: string): readonly number[] {
    const known = this.topics.get(topic);
    if (!known) throw new AnswerIncomplete(`the topic ${topic}`);
    // Without a leader is not without partitions.
    if (known.errorCode !== 0 && known.errorCode !== LEADER_NOT_AVAILABLE)
      throw createErrorFromCode(known.errorCode);
    if (known.leaders.size === 0) throw createErrorFromCode(LEADER_NOT_AVAILABLE);
    return [...known.leaders.keys()].sort((a, b) => a - b);
  }

  leaderOf(topic: string, partition: number): number | undefined {
    const leader = this.topics.get(topic)?.leaders.get(partition);
    return leader === -1 ? undefined : leader;
  }

  take(asked: readonly string[], { topicMetadata }: MetadataAnswer): void {
    const found = new Map(topicMetadata.map((of) => [of.topic, of]));
    for (const topic of asked) {
      const of = found.get(topic);
      if (!of) throw new AnswerIncomplete(`the topic ${topic}`);
      const leaders = new Map(of.partitionMetadata.map(({ partitionId, leader }) => [partitionId, leader]));
      this.topics.set(topic, { leaders, errorCode: of.topicErrorCode });
    }
  }
}
