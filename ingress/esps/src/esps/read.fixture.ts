import type { EspEvent } from '../adapter.ts';
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

/** Reads a body with the adapter: text as it is, anything else as JSON. */
export function read(esp: string, body: unknown, headers: { readonly [name: string]: string } = {}): Read {
  const adapter = findAdapter(esp);
  if (!adapter) throw new Error(esp);
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const request = { method: 'POST', url: '/', headers, body: Buffer.from(text), receivedAt: 1 };
  const { results } = normalizeRequest(adapter, request);
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
