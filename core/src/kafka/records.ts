import { hash } from 'node:crypto';
import { type DeadLetter, partitionOf } from '@email-events/schemas';

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

/** The least that its topic takes (4 MiB), less the rest of a letter. A value alone always fits: its topic takes more than email.raw. */
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

/**
 * Why a record is in its topic a second time, and which parts of it count. Written by `dlq replay` and `backfill` as one header;
 * its readers take only the parts that are named, so that nothing is counted twice.
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
 * Undefined for a record that was not put back. Only this project's commands write the header; one from elsewhere that cannot be
 * read counts as none, since a stage that throws for it would stop its partition.
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

/**
 * Of a record of email.internal.normalized: how many events normalize has counted in it. The next stage counts what it finds in such
 * records, so that the two can be compared; of earlier versions, and of commands, there is nothing to compare.
 */
export const COUNTED_HEADER = 'counted';

/** Events that its writer counted in a record that comes for the first time. Undefined: it was not counted, or was put back. */
export function countedOf(record: Pick<InputRecord, 'headers'>): number | undefined {
  const counted = record.headers[COUNTED_HEADER];
  if (counted === undefined || replayOf(record)) return undefined;
  const events = Number(counted.toString());
  return Number.isSafeInteger(events) && events >= 0 ? events : undefined;
}

/** Of a request that was put on email.raw out of the quarantine. */
export const RELEASED_HEADER = 'released';

/**
 * Of records that follow from a request or record that was put back, down to the typed topics: it came for the first time long ago, so
 * whoever tells of what happens now leaves it out.
 */
export const PUT_BACK_HEADER = 'put-back';

/** Asked for every event. */
export const isPutBack = ({ headers }: Pick<InputRecord, 'headers'>): boolean =>
  headers[PUT_BACK_HEADER] !== undefined ||
  headers[REPLAY_HEADER] !== undefined ||
  headers[RELEASED_HEADER] !== undefined;

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

/** A request as email.raw keeps it, besides its body. */
export interface RawRequest {
  /** UUIDv7, the X-Request-Id of the answer. */
  readonly requestId: string;
  /** Configured webhook. */
  readonly source: string;
  readonly esp: string;
  /** Account that the source belonged to; null: it named none. */
  readonly account: string | null;
  /** Version of the rules that give its events their ids; 1 in records from before there were versions. */
  readonly identityVersion: number;
  /**
   * Of a request whose signature covers nothing but a token: digest of source and token, 32 hex digits (tokenDigest). All requests of one
   * token lie on one partition. Null: the signature covers the body, or nothing.
   */
  readonly tokenDigest: string | null;
  /** Epoch milliseconds. */
  readonly receivedAt: number;
  readonly method: string;
  /** Path and query, without what authenticates. */
  readonly url: string;
  readonly contentType: string | null;
  readonly remoteAddress: string | null;
  /** The ESP's allow-listed headers, lower-case names. */
  readonly headers: { readonly [name: string]: string };
}

/** Headers of a record of email.raw. Three only: each costs a JavaScript client about 3 µs. */
export interface RawHeaders {
  [name: string]: Buffer;
  'request-id': Buffer;
  source: Buffer;
  request: Buffer;
}

/** A request to keep: without a version its events get the ids of version 1. */
export type NewRawRequest = Omit<RawRequest, 'account' | 'identityVersion' | 'tokenDigest'> &
  Partial<Pick<RawRequest, 'account' | 'identityVersion' | 'tokenDigest'>>;

export function encodeRawHeaders(request: NewRawRequest): RawHeaders {
  const { requestId, source, ...rest } = request;
  return {
    'request-id': Buffer.from(requestId),
    source: Buffer.from(source),
    request: Buffer.from(JSON.stringify(rest)),
  };
}

/** What all requests of a source have in common. */
export type RawOrigin = Pick<RawRequest, 'source' | 'esp' | 'account' | 'identityVersion'>;

/** The same bytes for a source of which many come: what they have in common is encoded once. */
export function rawHeadersEncoder({
  source,
  ...origin
}: RawOrigin): (request: Omit<RawRequest, keyof RawOrigin>) => RawHeaders {
  const sourceBytes = Buffer.from(source);
  const { esp, account, identityVersion } = origin;
  const head = JSON.stringify({ esp, account, identityVersion }).slice(0, -1);
  const text = (value: string | null) => (value === null ? 'null' : JSON.stringify(value));
  return ({ requestId, receivedAt, method, url, contentType, remoteAddress, headers, tokenDigest }) => {
    const token = tokenDigest === null ? '' : `,"tokenDigest":${text(tokenDigest)}`;
    const of = `"method":${text(method)},"url":${text(url)},"contentType":${text(contentType)},"remoteAddress":${text(remoteAddress)}`;
    return {
      'request-id': Buffer.from(requestId, 'latin1'),
      source: sourceBytes,
      request: Buffer.from(
        `${head},"receivedAt":${receivedAt},${of},"headers":${JSON.stringify(headers)}${token}}`,
      ),
    };
  };
}

/** Undefined if these are not the headers of a record of email.raw. */
export function decodeRawHeaders(headers: { readonly [name: string]: unknown }): RawRequest | undefined {
  const [requestId, source, request] = ['request-id', 'source', 'request'].map((name) =>
    textOf(headers[name]),
  );
  if (requestId === undefined || source === undefined || request === undefined) return undefined;
  try {
    const rest = JSON.parse(request) as Partial<RawRequest>;
    if (typeof rest.esp !== 'string' || typeof rest.receivedAt !== 'number') return undefined;
    return {
      requestId,
      source,
      esp: rest.esp,
      account: typeof rest.account === 'string' ? rest.account : null,
      identityVersion: typeof rest.identityVersion === 'number' ? rest.identityVersion : 1,
      tokenDigest: typeof rest.tokenDigest === 'string' ? rest.tokenDigest : null,
      receivedAt: rest.receivedAt,
      method: rest.method ?? 'POST',
      url: rest.url ?? '/',
      contentType: rest.contentType ?? null,
      remoteAddress: rest.remoteAddress ?? null,
      headers: rest.headers ?? {},
    };
  } catch {
    return undefined;
  }
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return value instanceof Uint8Array ? Buffer.from(value).toString() : undefined;
}

/** Distinguishes tokens without revealing them: 32 hex digits. */
export const tokenDigest = (source: string, token: string) =>
  hash('sha256', JSON.stringify([source, token]), 'hex').slice(0, 32);
