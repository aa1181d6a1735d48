import { type DeadLetter, partitionOf } from '@email-events/schemas';
import { earlierLetter, originalHeaders, replayOf } from './replay.ts';

/** A Kafka record as stages read it. */
export interface InputRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: { readonly [name: string]: Buffer };
  /** Epoch milliseconds. */
  readonly timestamp: number;
}

/** Why a stage gave up on a record, and what is known of it. */
export interface Failure {
  readonly stage: string;
  readonly code: string;
  /** Without addresses or payload. */
  readonly message: string;
  readonly attempts?: number;
  /** Epoch milliseconds. */
  readonly firstAt: number;
  readonly lastAt?: number;
  readonly item?: { readonly index: number; readonly bytes: Buffer | null };
  readonly esp?: string | null;
  readonly source?: string | null;
  readonly requestId?: string | null;
  /** False when another dead letter of the same record, that of its first bad item, carries the value. */
  readonly carriesValue?: boolean;
}

/** What its topic takes at least (4 MiB), less what the rest of a letter needs. A value alone always fits: its topic takes more than email.raw. */
const MAX_BYTES = 3_900_000;

/**
 * The dead letter of a record: everything needed to understand it and to send it back where it came from. A record that
 * was replayed and fails again goes by its first place, so that its letter replaces the earlier one and counts on.
 */
export function deadLetterOf(record: InputRecord, failure: Failure): DeadLetter {
  const value = (failure.carriesValue ?? true) ? record.value : null;
  const item = failure.item?.bytes ?? null;
  // A large item that is nearly the whole value is in there: a letter that its topic refuses would stop the partition.
  const fits = (value?.length ?? 0) + (item?.length ?? 0) <= MAX_BYTES;
  const replay = replayOf(record);
  const origin = replay ?? record;
  const earlier = earlierLetter(replay, failure.item?.index ?? null);
  return {
    stage: failure.stage,
    code: failure.code,
    message: failure.message,
    attempts: (earlier?.attempts ?? 0) + (failure.attempts ?? 1),
    first_at: earlier?.firstAt ?? failure.firstAt,
    last_at: failure.lastAt ?? failure.firstAt,
    origin_topic: origin.topic,
    origin_partition: origin.partition,
    origin_offset: origin.offset,
    item_index: failure.item?.index ?? null,
    item: fits ? item : null,
    esp: failure.esp ?? null,
    source: failure.source ?? null,
    request_id: failure.requestId ?? null,
    key: record.key,
    value,
    headers: originalHeaders(record),
    recorded_at: replay ? replay.recordedAt : record.timestamp,
    status: 'open',
    status_at: null,
    replays: earlier?.replays ?? 0,
    note: null,
  };
}

/** Key of a dead letter: origin coordinates, so that all dead letters of a record stay together. */
export function deadLetterKey(letter: DeadLetter): string {
  return letter.item_index === null ? originOf(letter) : `${originOf(letter)}/${letter.item_index}`;
}

export function deadLetterPartition(letter: DeadLetter, partitions: number): number {
  return partitionOf(originOf(letter), partitions);
}

/** The original record's coordinates as text. */
export function originOf(
  letter: Pick<DeadLetter, 'origin_topic' | 'origin_partition' | 'origin_offset'>,
): string {
  return `${letter.origin_topic}/${letter.origin_partition}/${letter.origin_offset}`;
}
