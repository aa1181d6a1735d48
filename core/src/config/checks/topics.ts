import type { CommonConfig } from '../common.ts';
import type { Finding } from '../problems.ts';

/** Compares the number of replicas with the number that must be in sync. */
export function topicFindings({ topics }: CommonConfig): Finding[] {
  const { replicationFactor, minInsyncReplicas } = topics;
  const path = 'topics.minInsyncReplicas';
  const compared = ['topics.replicationFactor'];
  if (minInsyncReplicas > replicationFactor) {
    const message = `more than topics.replicationFactor (${replicationFactor}): so many are never in sync, and nothing could be written`;
    return [{ level: 'refuse', path, message, compared }];
  }
  if (replicationFactor > 1 && minInsyncReplicas === replicationFactor) {
    const message = 'all replicas must be in sync: one broker that is away stops all writes';
    return [{ level: 'warn', path, message, compared }];
  }
  return [];
}
