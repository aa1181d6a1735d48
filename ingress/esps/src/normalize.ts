import { isUtf8 } from 'node:buffer';
import {
  type EspAdapter,
  type EspEvent,
  type EspRequest,
  type Item,
  type NormalizeCode,
  Refusal,
  type SourceOptions,
} from './adapter.ts';
import { withoutAutoReply } from './reading/auto-reply.ts';
import { hasControlCharacter } from './reading/control-characters.ts';
import { hasForeignBytes } from './reading/foreign-bytes.ts';

/** What one item of a request came to. */
export type ItemResult =
  | { readonly index: number; readonly events: readonly EspEvent[] }
  /** Refused, alone: the other items go on. `item` is its text, null where not even that could be had. */
  | {
      readonly index: number;
      readonly code: NormalizeCode;
      readonly message: string;
      readonly item: string | null;
    };

export interface NormalizedRequest {
  readonly items: number;
  /** In the order of the items; two of an item of which some events can be used and some cannot. */
  readonly results: readonly ItemResult[];
}

/** Splits a request and reads each item, as the options of its source say. Throws Refusal if the body as a whole cannot be read, and nothing else. */
export function normalizeRequest(
  adapter: EspAdapter,
  request: EspRequest,
  options: SourceOptions = {},
): NormalizedRequest {
  const items = splitBody(adapter, request);
  // One byte that is no UTF-8 costs the item that has it, not the batch.
  const suspect = !isUtf8(request.body);
  const results: ItemResult[] = [];
  for (const item of items) {
    if ((suspect || item.suspect) && isForeign(item)) results.push(refused(item, NOT_UTF8));
    else readItem(results, adapter, item, request, options);
  }
  return { items: items.length, results };
}

function splitBody(adapter: EspAdapter, request: EspRequest): readonly Item[] {
  try {
    return adapter.split(request);
  } catch (error) {
    throw asRefusal(error);
  }
}

function readItem(
  results: ItemResult[],
  adapter: EspAdapter,
  item: Item,
  request: EspRequest,
  options: SourceOptions,
): void {
  let events: EspEvent[];
  try {
    events = adapter.normalize(item, request, options).map((event) => withoutAutoReply(event, item));
  } catch (error) {
    results.push(refused(item, asRefusal(error)));
    return;
  }
  const sound = events.filter(({ recipient }) => !hasControlCharacter(recipient));
  if (sound.length > 0 || events.length === 0) results.push({ index: item.index, events: sound });
  if (sound.length < events.length) results.push(refused(item, RECIPIENT_INVALID));
}

const RECIPIENT_INVALID = new Refusal(
  'NORMALIZE_RECIPIENT_INVALID',
  'the recipient holds a control character',
);
const NOT_UTF8 = new Refusal('NORMALIZE_ITEM_INVALID', 'the item is not valid UTF-8');

function isForeign({ value }: Item): boolean {
  try {
    return hasForeignBytes(value);
  } catch {
    // Nested more deeply than anything can walk.
    return true;
  }
}

function refused(item: Item, { code, message }: Refusal): ItemResult {
  return { index: item.index, code, message, item: textOf(item) };
}

function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  // The message of a foreign error may quote the payload, so only its kind is told.
  const kind = error instanceof Error ? error.name : typeof error;
  return new Refusal('NORMALIZE_UNEXPECTED', `the adapter failed with ${kind}`, { cause: error });
}

function textOf(item: Item): string | null {
  try {
    return item.text;
  } catch {
    return null;
  }
}
