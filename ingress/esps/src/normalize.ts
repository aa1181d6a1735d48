import { isUtf8 } from 'node:buffer';
import {
  type EspAdapter,
  type EspEvent,
  type EspRequest,
  type Item,
  type NormalizeCode,
  Refusal,
  type SourceReading,
} from './adapter.ts';
import { type Budget, DEFAULT_BUDGET, OverBudget, Spending } from './budget.ts';
import { headerMap, type MessageHeaders, mapFields, NO_HEADERS } from './field-mapping.ts';
import { DEFAULT_MAPPING } from './field-paths.ts';
import { withoutAutoReply } from './reading/bounce.ts';
import { hasControlCharacter } from './reading/fields.ts';
import { hasForeignBytes } from './reading/foreign-bytes.ts';

/** The events of one item, or why there are none. */
export type ItemResult =
  | { readonly index: number; readonly events: readonly EspEvent[] }
  /** Refused, alone: the other items go on. `item` is its text, null where not even that could be had, or too many were refused. */
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

/** Splits a request and reads each item, as its source says. Throws Refusal if the body as a whole cannot be read, or is beyond the budget, and nothing else. */
export function normalizeRequest(
  adapter: EspAdapter,
  request: EspRequest,
  reading: SourceReading = {},
  budget: Budget = DEFAULT_BUDGET,
): NormalizedRequest {
  const results = [...readItems(adapter, request, reading, budget)];
  return { items: (results.at(-1)?.index ?? -1) + 1, results };
}

/**
 * The same item by item, so that others may have their turn between them. What was taken of a request that turns out to be beyond its
 * budget is to be thrown away.
 */
export function* readItems(
  adapter: EspAdapter,
  request: EspRequest,
  reading: SourceReading = {},
  budget: Budget = DEFAULT_BUDGET,
  spending: Spending = new Spending(budget, request),
): Generator<ItemResult, void, undefined> {
  const items = splitBody(adapter, request);
  spending.items(items.length);
  // One byte that is no UTF-8 costs the item that has it, not the batch.
  const suspect = !isUtf8(request.body);
  let refusals = 0;
  for (const item of items) {
    const isBroken = (suspect || item.suspect) && isForeign(item);
    const results = isBroken ? [NOT_UTF8] : readItem(adapter, item, request, reading, spending);
    for (const result of results) {
      if (!(result instanceof Refusal)) yield { index: item.index, events: result };
      // Of too many, the text is not needed any more.
      else yield refused(item, result, refusals++ < budget.maxDeadLetters);
    }
  }
}

function splitBody(adapter: EspAdapter, request: EspRequest): readonly Item[] {
  try {
    return adapter.split(request);
  } catch (error) {
    throw asRefusal(error);
  }
}

/** Its events, why there are none, or both. */
function readItem(
  adapter: EspAdapter,
  item: Item,
  request: EspRequest,
  reading: SourceReading,
  spending: Spending,
): readonly (readonly EspEvent[] | Refusal)[] {
  const sound: EspEvent[] = [];
  let unsound = 0;
  try {
    const mapped = mapperOf(adapter, item, reading);
    for (const said of adapter.normalize(item, request, reading.options)) {
      const event = mapped(withoutAutoReply(said, item));
      spending.event(event);
      if (hasControlCharacter(event.recipient)) unsound++;
      else sound.push(event);
    }
  } catch (error) {
    if (error instanceof OverBudget) throw error;
    return [asRefusal(error)];
  }
  if (unsound === 0) return [sound];
  return sound.length === 0 ? [RECIPIENT_INVALID] : [sound, RECIPIENT_INVALID];
}

/** Campaign, variant, stream and user are the same work for every ESP: what an adapter says is mapped after it. */
function mapperOf(
  adapter: EspAdapter,
  item: Item,
  { fields = DEFAULT_MAPPING, noted }: SourceReading,
): (event: EspEvent) => EspEvent {
  // Once for all recipients of an item, and only where it is asked for.
  const headers: MessageHeaders =
    adapter.headers && fields.readsHeaders ? headerMap(adapter.headers(item)) : NO_HEADERS;
  return (event) => mapFields(event, fields, headers, noted);
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

function refused(item: Item, { code, message }: Refusal, withText: boolean): ItemResult {
  return { index: item.index, code, message, item: withText ? textOf(item) : null };
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
