import { createRequire } from 'node:module';

/** The part of kafkajs's bookkeeping that is needed here. */
interface OffsetManager {
  readonly groupId: string;
  readonly cluster: {
    fetchTopicsOffset(
      topics: readonly { topic: string; partitions: { partition: number }[]; fromBeginning: boolean }[],
    ): Promise<{ topic: string; partitions: { partition: number; offset: string }[] }[]>;
  };
  readonly resolvedOffsets: { [topic: string]: { [partition: number]: string } };
  committedOffsets(): { [topic: string]: { [partition: number]: string } };
  setDefaultOffset(at: TopicPartition): Promise<void>;
}

interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

const groups = new Set<string>();

/**
 * What this group has committed stays committed, whatever a partition holds. kafkajs 2.2.4 answers a fetch outside of a
 * partition's offsets by committing its default in place of them, so that nobody can find out afterwards that records
 * were lost, and a group that has read everything reads all of it again. Here only the reading begins anew, at the first
 * record that there is; whoever reads can tell.
 */
export function keepCommitted(groupId: string): void {
  groups.add(groupId);
}

const require = createRequire(import.meta.url);
const { prototype } = require('kafkajs/src/consumer/offsetManager/index.js') as { prototype: OffsetManager };
const original = prototype.setDefaultOffset;
if (typeof original !== 'function')
  throw new Error('kafkajs has no default offsets to keep from being committed');

prototype.setDefaultOffset = async function (this: OffsetManager, at: TopicPartition): Promise<void> {
  if (!groups.has(this.groupId)) return original.call(this, at);
  const { topic, partition } = at;
  const asked = { topic, partitions: [{ partition }], fromBeginning: true };
  const [found] = await this.cluster.fetchTopicsOffset([asked]);
  const first = found?.partitions[0]?.offset;
  const [resolved, committed] = [this.resolvedOffsets[topic], this.committedOffsets()[topic]];
  if (first === undefined || !resolved || !committed) return;
  resolved[partition] = first;
  committed[partition] = first;
};
