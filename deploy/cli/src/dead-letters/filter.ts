import { PipelineError } from '@email-events/core/errors';
import type { LetterStatus, LetterSummary } from './ledger.ts';

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
