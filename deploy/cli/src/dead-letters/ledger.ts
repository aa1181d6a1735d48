import { deadLetterKey, originOf } from '@email-events/core';
import { type DeadLetter, topics } from '@email-events/schemas';
import type { Place } from './letters-topic.ts';

export const STATUSES = ['open', 'replayed', 'discarded'] as const;
export type LetterStatus = (typeof STATUSES)[number];

/** A dead letter without its bytes. */
export interface LetterSummary {
  /** Origin coordinates: topic/partition/offset, and /item where it is one item. */
  readonly id: string;
  readonly stage: string;
  readonly code: string;
  readonly message: string;
  readonly status: LetterStatus;
  readonly attempts: number;
  readonly replays: number;
  /** Epoch milliseconds. */
  readonly firstAt: number;
  readonly lastAt: number;
  readonly statusAt: number | null;
  readonly note: string | null;
  readonly esp: string | null;
  readonly source: string | null;
  readonly requestId: string | null;
  readonly topic: string;
  readonly item: number | null;
  /** The original record and who refused it: letters that agree are put back as one record. */
  readonly record: string;
  /** The newest letter. */
  readonly at: Place;
  /** Set if the record is a recipient's state, which a later one replaces. */
  readonly state?: { readonly key: string; readonly partition: number; readonly offset: bigint };
}

/** The newest state of every dead letter. It keeps about half a kilobyte of each, never its bytes. */
export class Ledger {
  private readonly letters = new Map<string, LetterSummary>();
  private readonly values = new Map<string, Place>();

  /** Letters of one record must come in the order of their topic. */
  add(letter: DeadLetter, at: Place): void {
    const summary = summaryOf(letter, at);
    const key = `${summary.stage} ${summary.id}`;
    if (!isRepeat(summary, this.letters.get(key))) this.letters.set(key, summary);
    if (letter.value !== null) this.values.set(summary.record, at);
  }

  get all(): LetterSummary[] {
    return [...this.letters.values()];
  }

  /** The letter that carries the record's bytes; undefined if none does (any more), or the record had none. */
  valueAt({ record }: LetterSummary): Place | undefined {
    return this.values.get(record);
  }
}

/**
 * A sink that crashed before it had committed may write a letter a second time, possibly after an operator dealt with it.
 * A failure of what was put back knows of the replay.
 */
export function isRepeat(letter: LetterSummary, known: LetterSummary | undefined): boolean {
  if (letter.status !== 'open' || known === undefined) return false;
  return letter.replays < known.replays || known.status === 'discarded';
}

export function summaryOf(letter: DeadLetter, at: Place): LetterSummary {
  return {
    id: deadLetterKey(letter),
    stage: letter.stage,
    code: letter.code,
    message: letter.message,
    status: STATUSES.find((status) => status === letter.status) ?? 'open',
    attempts: letter.attempts,
    replays: letter.replays,
    firstAt: letter.first_at,
    lastAt: letter.last_at,
    statusAt: letter.status_at,
    note: letter.note,
    esp: letter.esp,
    source: letter.source,
    requestId: letter.request_id,
    topic: letter.origin_topic,
    item: letter.item_index,
    record: `${letter.stage} ${originOf(letter)}`,
    at,
    ...(letter.origin_topic === topics.suppressions ? { state: stateOf(letter) } : {}),
  };
}

const stateOf = ({ key, origin_partition, origin_offset }: DeadLetter) => ({
  key: key?.toString() ?? '',
  partition: origin_partition,
  offset: BigInt(origin_offset),
});
