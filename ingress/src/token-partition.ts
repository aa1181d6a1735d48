import type { PublishRecord } from '@email-events/core';
import { partitionOf } from '@email-events/schemas';

/** Where a request goes whose signature covers a token alone: all with the same token lie together, so that a second body shows. */
export function tokenPartition(
  tokenDigest: string | null | undefined,
  partitions: number,
): Pick<PublishRecord, 'partition'> {
  return tokenDigest ? { partition: partitionOf(tokenDigest, partitions) } : {};
}
