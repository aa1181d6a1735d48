import {
  decodeRawHeaders,
  type InputRecord,
  type RawRequest,
  type Replay,
  replayOf,
} from '@email-events/core';
import { findAdapter, normalizeRequest, Refusal, type SourceOptions, toEmailEvent } from '@email-events/esps';
import type { EmailEvent } from '@email-events/schemas';

/** Why a record, or one item of it, gave no events. */
export interface NormalizeFailure {
  readonly code: string;
  readonly message: string;
  readonly item?: { readonly index: number; readonly bytes: Buffer | null };
}

/** Past participle of a raw record. Every item is either in the events (none to many each) or in the failures. */
export interface Normalized {
  /** Undefined if not even the headers could be read. */
  readonly request: RawRequest | undefined;
  readonly events: readonly EmailEvent[];
  readonly failures: readonly NormalizeFailure[];
}

/** The options of a source, by its name; none of one that is not configured any more. */
export type OptionsOf = (source: string) => SourceOptions;
const NO_OPTIONS: OptionsOf = () => ({});

/**
 * Reads what an ESP reported. Never throws: what cannot be read is a failure with a code. Of a record that was put back,
 * only the items that it was put back for.
 */
export function normalizeRecord(record: InputRecord, optionsOf: OptionsOf = NO_OPTIONS): Normalized {
  const replay = replayOf(record);
  const normalized = readRecord(record, optionsOf);
  return replay?.items ? restrict(normalized, replay.items, replay.events) : normalized;
}

function readRecord(record: InputRecord, optionsOf: OptionsOf): Normalized {
  const request = decodeRawHeaders(record.headers);
  if (!request)
    return refused(undefined, 'NORMALIZE_HEADERS_UNREADABLE', 'the record lacks the headers of a request');
  const adapter = findAdapter(request.esp);
  if (!adapter) return refused(request, 'NORMALIZE_ESP_UNKNOWN', 'no adapter of that name');
  const { requestId, source, esp, receivedAt, method, url, headers, contentType } = request;
  const body = record.value ?? Buffer.alloc(0);
  const withType = contentType === null ? headers : { ...headers, 'content-type': contentType };
  try {
    const received = { method, url, headers: withType, body, receivedAt };
    const { results } = normalizeRequest(adapter, received, optionsOf(source));
    const origin = {
      esp,
      source,
      request_id: requestId,
      received_at: receivedAt,
      raw_partition: record.partition,
      raw_offset: record.offset,
    };
    const events: EmailEvent[] = [];
    const failures: NormalizeFailure[] = [];
    for (const result of results) {
      if ('code' in result) {
        const bytes = result.item === null ? null : Buffer.from(result.item);
        failures.push({ code: result.code, message: result.message, item: { index: result.index, bytes } });
        continue;
      }
      for (const event of result.events)
        events.push(toEmailEvent(event, { ...origin, item_index: result.index }));
    }
    return { request, events, failures };
  } catch (error) {
    if (error instanceof Refusal) return refused(request, error.code, error.message);
    return refused(request, 'NORMALIZE_UNEXPECTED', 'the adapter failed in a way nobody foresaw');
  }
}

/** A failure of the whole stands for each of the items: the others were counted long ago. */
function restrict(
  { request, events, failures }: Normalized,
  items: NonNullable<Replay['items']>,
  ids: Replay['events'],
): Normalized {
  const [wanted, named] = [new Set(items), ids && new Set(ids)];
  return {
    request,
    events: events.filter(
      ({ item_index, event_id }) => wanted.has(item_index) && (named?.has(event_id) ?? true),
    ),
    failures: failures.flatMap((failure) => {
      const { item } = failure;
      if (item) return wanted.has(item.index) ? [failure] : [];
      return items.map((index) => ({ ...failure, item: { index, bytes: null } }));
    }),
  };
}

function refused(request: RawRequest | undefined, code: string, message: string): Normalized {
  return { request, events: [], failures: [{ code, message }] };
}
