import { type KafkaSettings, readTopic } from '@email-events/core';
import { topics } from '@email-events/schemas';

/** Place of a recipient's state in email.suppressions. */
export interface StatePlace {
  readonly key: string;
  readonly partition: number;
  readonly offset: bigint;
}

/**
 * Those of whose recipient there is a newer state, or its end, by now: what is written once more must not come behind it.
 * Reads email.suppressions from the oldest of them to the end.
 */
export async function superseded<S extends StatePlace>(
  kafka: KafkaSettings,
  states: readonly S[],
  signal?: AbortSignal,
): Promise<ReadonlySet<S>> {
  const first = new Map<number, bigint>();
  for (const { partition, offset } of states) {
    const known = first.get(partition);
    if (known === undefined || offset < known) first.set(partition, offset);
  }
  if (first.size === 0) return new Set();
  const wanted = new Set(states.map(({ key }) => key));
  const newest = new Map<string, bigint>();
  await readTopic(kafka, {
    topics: [topics.suppressions],
    from: {
      positions: [...first].map(([partition, offset]) => ({ topic: topics.suppressions, partition, offset })),
    },
    ...(signal ? { signal } : {}),
    onRecord: ({ key, offset }) => {
      const recipient = key?.toString() ?? '';
      if (wanted.has(recipient)) newest.set(recipient, offset);
    },
  });
  return new Set(states.filter(({ key, offset }) => (newest.get(key) ?? offset) > offset));
}
