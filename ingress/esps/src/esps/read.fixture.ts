import type { EspEvent, EspRequest, SourceOptions } from '../adapter.ts';
import { toEmailEvent } from '../event.ts';
import { normalizeRequest } from '../normalize.ts';
import { findAdapter } from '../registry.ts';

export interface Read {
  readonly events: readonly EspEvent[];
  /** Ids of the events. */
  readonly ids: readonly string[];
  /** Codes of the items that were refused. */
  readonly refused: readonly string[];
}

type Headers = { readonly [name: string]: string };

/** Reads a body with the adapter: text as it is, anything else as JSON. */
export function read(esp: string, body: unknown, headers: Headers = {}): Read {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return readRequest(esp, { headers, body: Buffer.from(text) });
}

/** Ids of the events in a body. Throws if an item of it is refused: what has no id cannot differ by it. */
export function idsIn(esp: string, body: unknown, headers?: Headers): readonly string[] {
  const { ids, refused } = read(esp, body, headers);
  if (refused.length > 0) throw new Error(`${esp}: ${refused.join()}`);
  return ids;
}

/** Reads a request, a POST of nothing unless it says otherwise, of a source with these options. */
export function readRequest(esp: string, request: Partial<EspRequest>, options: SourceOptions = {}): Read {
  const adapter = findAdapter(esp);
  if (!adapter) throw new Error(esp);
  const whole = { method: 'POST', url: '/', headers: {}, body: Buffer.alloc(0), receivedAt: 1, ...request };
  const { results } = normalizeRequest(adapter, whole, { options });
  const origin = { esp, source: 's', request_id: 'r', received_at: 1, raw_partition: 0, raw_offset: 0 };
  const made = results.flatMap((result) =>
    'events' in result ? result.events.map((event) => ({ event, index: result.index })) : [],
  );
  return {
    events: made.map(({ event }) => event),
    ids: made.map(({ event, index }) => toEmailEvent(event, { ...origin, item_index: index }).event_id),
    refused: results.flatMap((result) => ('code' in result ? [result.code] : [])),
  };
}
