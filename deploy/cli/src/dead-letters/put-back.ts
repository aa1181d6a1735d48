import {
  deadLetterKey,
  deadLetterPartition,
  encodeReplay,
  type OutputRecord,
  REPLAY_HEADER,
} from '@email-events/core';
import { type DeadLetter, type Encoder, topics } from '@email-events/schemas';
import { processors } from '../services.ts';

/** Letters of one record, whole, and the bytes of that record. */
export interface RecordLetters {
  readonly letters: readonly DeadLetter[];
  readonly value: Buffer | null;
}

export interface LetterWriter {
  readonly encoder: Encoder<DeadLetter>;
  readonly deadLetterPartitions: number;
  /** Epoch milliseconds. */
  readonly now: number;
}

/** Topics that only a processor reads: a record can go back to them. Others have readers that would count it again. */
export const OWN_TOPICS: readonly string[] = processors.flatMap(({ consumes }) => consumes?.topics ?? []);

/**
 * The record as it was, and one header that says which of its items count and what they went through already. What a sink
 * refused goes to that sink alone.
 */
export function putBack({ letters, value }: RecordLetters): OutputRecord[] {
  const [first] = letters;
  if (!first) return [];
  const items = letters.flatMap(({ item_index }) => (item_index === null ? [] : [item_index]));
  const goesBack = OWN_TOPICS.includes(first.origin_topic);
  const replay = encodeReplay({
    reason: 'dead-letter',
    topic: first.origin_topic,
    partition: first.origin_partition,
    offset: first.origin_offset,
    recordedAt: first.recorded_at,
    sink: goesBack ? null : first.stage,
    // A letter of the whole record stands for all that is in it.
    items: items.length === letters.length ? items : null,
    events: null,
    letters: letters.map(({ item_index, attempts, first_at, replays }) => {
      return { item: item_index, attempts, firstAt: first_at, replays: replays + 1 };
    }),
  });
  return [
    {
      topic: goesBack ? first.origin_topic : topics.replays,
      partition: first.origin_partition,
      key: first.key,
      value,
      headers: { ...first.headers, [REPLAY_HEADER]: replay },
    },
  ];
}

/** The same letters with another status, complete: a reader that keeps only the newest record of a key loses nothing. */
export function marked(
  letters: readonly DeadLetter[],
  change: Pick<DeadLetter, 'status' | 'note'>,
  { encoder, deadLetterPartitions, now }: LetterWriter,
): OutputRecord[] {
  const again = change.status === 'replayed' ? 1 : 0;
  return letters.map((letter) => ({
    topic: topics.deadLetters,
    partition: deadLetterPartition(letter, deadLetterPartitions),
    key: deadLetterKey(letter),
    value: encoder.encode({ ...letter, ...change, status_at: now, replays: letter.replays + again }),
  }));
}
