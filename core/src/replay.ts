import type { InputRecord } from './dead-letter.ts';

/**
 * Why a record is in its topic a second time, and what of it counts. Written by `dlq replay` and `backfill` as one header;
 * who reads the record takes only what is named, so that what was counted before is not counted again.
 */
export interface Replay {
  readonly reason: 'dead-letter' | 'backfill';
  /** Where the record was the first time: its dead letters keep that name. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Epoch milliseconds at which it was written there, if known. */
  readonly recordedAt: number | null;
  /** The sink that refused the record; null for what goes back to where it came from. */
  readonly sink: string | null;
  /** Only these items of it; null: the whole record. */
  readonly items: readonly number[] | null;
  /** Only events with these ids; null: all events of the items. */
  readonly events: readonly string[] | null;
  /** Ids of events that those named stand in place of: having seen these does not make them duplicates. */
  readonly supersedes?: readonly string[];
  /** Its dead letters so far. */
  readonly letters: readonly ReplayedLetter[];
}

export interface ReplayedLetter {
  /** Null: of the whole record. */
  readonly item: number | null;
  readonly attempts: number;
  /** Epoch milliseconds. */
  readonly firstAt: number;
  readonly replays: number;
}

export const REPLAY_HEADER = 'replay';

export const encodeReplay = (replay: Replay): Buffer => Buffer.from(JSON.stringify(replay));

/**
 * Undefined for a record that is where it is for the first time. Only our own commands write the header; one that somebody
 * else wrote and that cannot be read is none, since a stage that stumbles over it would stop its partition.
 */
export function replayOf({ headers }: Pick<InputRecord, 'headers'>): Replay | undefined {
  const text = headers[REPLAY_HEADER];
  if (text === undefined) return undefined;
  try {
    const replay = JSON.parse(text.toString()) as Replay;
    return isReplay(replay) ? replay : undefined;
  } catch {
    return undefined;
  }
}

function isReplay({ topic, partition, offset, items, events, supersedes, letters }: Replay): boolean {
  const lists = [items ?? [], events ?? [], supersedes ?? [], letters];
  return (
    typeof topic === 'string' && [partition, offset].every(Number.isSafeInteger) && lists.every(Array.isArray)
  );
}

/** Headers as they were the first time. */
export function originalHeaders(record: Pick<InputRecord, 'headers'>): InputRecord['headers'] {
  if (!replayOf(record)) return { ...record.headers };
  const { [REPLAY_HEADER]: _, ...original } = record.headers;
  return original;
}

/** The letter that a new failure of this item goes on from: its own, else that of the whole record. */
export function earlierLetter(replay: Replay | undefined, item: number | null): ReplayedLetter | undefined {
  const { letters = [] } = replay ?? {};
  return letters.find((letter) => letter.item === item) ?? letters.find((letter) => letter.item === null);
}
