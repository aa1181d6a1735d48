import { readTopic } from '@email-events/core';
import { topics } from '@email-events/schemas';
import type { LetterSummary } from './ledger.ts';
import type { Letters } from './letters-topic.ts';

/**
 * Records of letters whose recipient has a newer state by now: what a sink refused then must not come behind it.
 * Reads email.suppressions from the oldest of them to the end.
 */
export async function supersededRecords(
  { kafka }: Letters,
  letters: readonly LetterSummary[],
): Promise<ReadonlySet<string>> {
  const states = letters.flatMap(({ state, record }) => (state ? [{ ...state, record }] : []));
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
    onRecord: ({ key, offset }) => {
      const recipient = key?.toString() ?? '';
      if (wanted.has(recipient)) newest.set(recipient, offset);
    },
  });
  return new Set(
    states.filter(({ key, offset }) => (newest.get(key) ?? offset) > offset).map(({ record }) => record),
  );
}
