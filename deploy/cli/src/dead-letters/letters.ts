import { deadLetterKey, originOf, type ReadFrom, readTopic } from '@email-events/core';
import { PipelineError } from '@email-events/core/errors';
import { type Codec, CodecError, type DeadLetter, topics } from '@email-events/schemas';
import type { PipelineConfig } from '../services.ts';

/** Where the letters are, and what decodes them. */
export interface Letters {
  readonly kafka: PipelineConfig['kafka'];
  readonly codec: Codec;
}

/** Where a letter is in its topic. */
export interface Place {
  readonly partition: number;
  readonly offset: bigint;
}

export const placeKey = ({ partition, offset }: Place) => `${partition}/${offset}`;

export interface ReadLettersOptions {
  readonly from?: ReadFrom;
  readonly signal?: AbortSignal | undefined;
  /** Records that are not wanted are not decoded. */
  readonly wanted?: (key: string, at: Place) => boolean;
  readonly onLetter: (letter: DeadLetter, at: Place) => void | Promise<void>;
  /** Records read so far. */
  readonly onProgress?: ((records: number) => void) | undefined;
}

const PROGRESS_EVERY = 10_000;

/** Reads the dead letters to the end of their topic, each partition in order. Returns how many cannot be decoded. */
export async function readLetters({ kafka, codec }: Letters, options: ReadLettersOptions): Promise<number> {
  const { from = 'beginning', signal, wanted = () => true, onLetter, onProgress } = options;
  const decoder = codec.decoder<DeadLetter>('deadLetter');
  let [unreadable, records] = [0, 0];
  const decode = (value: Buffer): DeadLetter | undefined => {
    try {
      return decoder.decode(value);
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      unreadable++;
      return undefined;
    }
  };
  await readTopic(kafka, {
    topics: [topics.deadLetters],
    from,
    ...(signal ? { signal } : {}),
    onRecord: async ({ partition, offset, key, value }) => {
      records++;
      if (records % PROGRESS_EVERY === 0) onProgress?.(records);
      const at = { partition, offset };
      if (value === null || !wanted(key?.toString() ?? '', at)) return;
      await decoder.load([value]);
      const letter = decode(value);
      if (letter) await onLetter(letter, at);
    },
  });
  return unreadable;
}

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

/** Which letters are meant. What is undefined does not matter. */
export interface LetterFilter {
  readonly ids: readonly LetterId[];
  readonly status: LetterStatus | 'all';
  readonly codes?: readonly string[] | undefined;
  readonly esps?: readonly string[] | undefined;
  readonly stages?: readonly string[] | undefined;
  readonly sources?: readonly string[] | undefined;
  readonly topics?: readonly string[] | undefined;
  /** Bounds of the last failure, epoch milliseconds; the second is exclusive. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
}

/** A letter, or all letters of a record. */
export interface LetterId {
  readonly text: string;
  /** Two sinks may refuse the same record. */
  readonly stage: string | undefined;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly item: number | undefined;
}

const ID = /^(?:([\w-]+):)?([\w.-]+)\/(\d+)\/(\d+)(?:\/(\d+))?$/;

/** `[stage:]topic/partition/offset[/item]`. Throws CLI_USAGE. */
export function parseId(text: string): LetterId {
  const [, stage, topic, partition, offset, item] = ID.exec(text) ?? [];
  if (topic === undefined) {
    const form = 'topic/partition/offset or topic/partition/offset/item, as `dlq list` shows it';
    throw new PipelineError('CLI_USAGE', 'reject', `"${text}" names no dead letter: ${form}`);
  }
  const number = item === undefined ? undefined : Number(item);
  return { text, stage, topic, partition: Number(partition), offset: Number(offset), item: number };
}

export function isMeant(id: LetterId, letter: Pick<LetterSummary, 'id' | 'stage'>): boolean {
  const record = `${id.topic}/${id.partition}/${id.offset}`;
  const whole = id.item === undefined && letter.id.startsWith(`${record}/`);
  const same = letter.id === (id.item === undefined ? record : `${record}/${id.item}`);
  return (whole || same) && (id.stage === undefined || id.stage === letter.stage);
}

export function matchesFilter(letter: LetterSummary, filter: LetterFilter): boolean {
  const { ids, status, since, until } = filter;
  const among = (wanted: readonly string[] | undefined, value: string | null) =>
    wanted === undefined || (value !== null && wanted.includes(value));
  return (
    (status === 'all' || letter.status === status) &&
    (ids.length === 0 || ids.some((id) => isMeant(id, letter))) &&
    among(filter.codes, letter.code) &&
    among(filter.esps, letter.esp) &&
    among(filter.stages, letter.stage) &&
    among(filter.sources, letter.source) &&
    among(filter.topics, letter.topic) &&
    (since === undefined || letter.lastAt >= since) &&
    (until === undefined || letter.lastAt < until)
  );
}

/** True if it says anything about which letters are meant, besides their status. */
export function isNarrow({ ids, status: _, ...rest }: LetterFilter): boolean {
  return ids.length > 0 || Object.values(rest).some((value) => value !== undefined);
}
